package framing

import (
	"fmt"
	"slices"
)

// Heads tells the heads in data when it comes in pieces of a size.
func Heads(data []byte, size int) string {
	var r reader
	var heads []head
	for piece := range slices.Chunk(data, size) {
		heads = r.read(piece, heads)
	}
	return fmt.Sprint(heads, r.state)
}
