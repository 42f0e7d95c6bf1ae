package record

// PruneChunk is pruneChunk, for the tests.
const PruneChunk = pruneChunk
