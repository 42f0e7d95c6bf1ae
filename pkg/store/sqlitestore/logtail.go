package sqlitestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// Places and sizes in bytes, from SQLite's "WAL-mode File Format": in the log its header, with
// the size of a page, the salts and the checksum, and the header of each frame, which is a page
// of the database; in the log's index the number of frames that are committed, and the salts.
const (
	logHeader   = 32
	logPageSize = 8
	logSalts    = 16
	logSums     = 24

	frameHeader = 24
	frameMark   = 4 // not 0 in the last frame of a transaction
	frameSalts  = 8
	frameSums   = 16

	indexFrames = 16
	indexSalts  = 32
	indexHeader = 48

	// logMagic begins the log, its lowest bit says in which order of bytes checksums are made.
	logMagic = 0x377f0682
)

// errMayBeStored: a recovery would find a transaction in the log that nobody sees now.
var errMayBeStored = errors.New("a recovery may find the transaction")

// uncommitted looks whether a transaction whose commit failed for want of room is in the log all
// the same, as a recovery after a crash would look. Usually it is not, because its last page
// is missing. But where the log is written over, the page that could not be written may be there
// as an earlier transaction left it, and if it is the same its checksum fits. Errors:
// errMayBeStored, or one that says that it cannot be found out. The caller has the turn.
func (s *Store) uncommitted() error {
	if len(s.files) < 3 {
		return errMayBeStored // the first commit of Open
	}
	log, err := os.ReadFile(s.files[1].path)
	if err != nil {
		return fmt.Errorf("the log cannot be read: %w", err)
	}
	index := make([]byte, indexHeader)
	if _, err := s.index.ReadAt(index, 0); err != nil {
		return fmt.Errorf("the log's index cannot be read: %w", err)
	}
	if len(log) < logHeader || !bytes.Equal(log[logSalts:logSums], index[indexSalts:indexSalts+8]) {
		return nil // the log was to start anew, and its header is that of before
	}
	if found := committedFrames(log); found > binary.NativeEndian.Uint32(index[indexFrames:]) {
		return errMayBeStored
	}
	return nil
}

// committedFrames counts the frames of a log up to the last one that is marked as the end of a
// transaction, as a recovery does (walIndexRecover in SQLite's wal.c): it stops at the first frame
// whose salts are not those of the log or whose checksum, which goes on from frame to frame, does
// not fit.
func committedFrames(log []byte) (committed uint32) {
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.BigEndian.Uint32(log) {
	case logMagic:
	case logMagic + 1:
		order = binary.BigEndian
	default:
		return 0
	}
	pageSize := int(binary.BigEndian.Uint32(log[logPageSize:]))
	sums := checksum{}.over(log[:logSums], order)
	if sums != sumsAt(log[logSums:]) || pageSize < 512 {
		return 0
	}
	salts := log[logSalts:logSums]
	rest := log[logHeader:]
	for n := uint32(1); len(rest) >= frameHeader+pageSize; n++ {
		frame := rest[:frameHeader+pageSize]
		rest = rest[len(frame):]
		sums = sums.over(frame[:frameSalts], order).over(frame[frameHeader:], order)
		if !bytes.Equal(frame[frameSalts:frameSums], salts) || sums != sumsAt(frame[frameSums:]) {
			break
		}
		if binary.BigEndian.Uint32(frame[frameMark:]) != 0 {
			committed = n
		}
	}
	return committed
}

// checksum is that of SQLite's log: two sums over pairs of words of 32 bits.
type checksum [2]uint32

func (c checksum) over(data []byte, order binary.ByteOrder) checksum {
	for ; len(data) >= 8; data = data[8:] {
		c[0] += order.Uint32(data) + c[1]
		c[1] += order.Uint32(data[4:]) + c[0]
	}
	return c
}

func sumsAt(data []byte) checksum {
	return checksum{binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])}
}
