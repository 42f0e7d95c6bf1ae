//go:build race

package main

// raceFactor makes large databases smaller under the race detector, which slows SQLite down
// thirty times. make test also runs the imports without it, at full size.
const raceFactor = 20
