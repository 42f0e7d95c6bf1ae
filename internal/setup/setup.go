// Package setup holds what several commands need before they can work: the flags they have
// in common, and the parts that those flags name, opened.
//
//   - [Identity] and [Keys]: who may do what, and which keys sign tokens.
//   - [Servers]: the NATS server and the MongoDB replica set of cmd/api and cmd/worker.
//   - [Embedded]: a data folder with an embedded NATS server, for cmd/eventio.
//   - [Database]: a data folder or a replica set, for the tools of cmd/eventio.
//   - [Prefix]: what the NATS subjects of a database begin with.
//
// A flag is checked before anything is opened. Whatever an Open function returns is closed
// by its caller; when it fails, it has closed what it opened.
package setup
