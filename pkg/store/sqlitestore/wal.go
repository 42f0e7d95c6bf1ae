package sqlitestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// Offsets and sizes in bytes, from SQLite's "WAL-mode File Format".
const (
	// In the header of the write-ahead log.
	logHeaderSize = 32
	logPageSize   = 8 // offset of the size of a page
	logSalts      = 16
	logChecksum   = 24
	// In the header of each frame of the log, which is followed by a page of the database.
	frameHeaderSize = 24
	frameCommitMark = 4 // not 0 in the last frame of a transaction
	frameSalts      = 8
	frameChecksum   = 16
	// In the header of the log's index, the -shm file.
	indexHeaderSize = 48
	indexFrames     = 16 // offset of the number of committed frames
	indexSalts      = 32

	// logMagic begins the log. Its lowest bit says in which byte order the checksums are.
	logMagic = 0x377f0682
)

// errMayBeStored means that the log has a transaction that nobody sees now, and that a recovery would
// find.
var errMayBeStored = errors.New("a recovery may find the transaction")

// checkUncommitted checks that a transaction whose commit failed for lack of space is not in the log,
// by reading the log as a recovery after a crash would. Usually it is not, because its last page is
// missing. But where the log overwrites an older part of itself, the page that could not be written
// may be there from an earlier transaction: if it has the same content, its checksum fits. Errors:
// errMayBeStored, or one after which it is not known. The caller has the write lock.
func (s *Store) checkUncommitted() error {
	if len(s.files) < 3 {
		return errMayBeStored // the first commit of Open
	}
	log, err := os.ReadFile(s.files[1].path)
	if err != nil {
		return fmt.Errorf("the log cannot be read: %w", err)
	}
	index := make([]byte, indexHeaderSize)
	if _, err := s.index.ReadAt(index, 0); err != nil {
		return fmt.Errorf("the log's index cannot be read: %w", err)
	}
	if len(log) < logHeaderSize || !bytes.Equal(log[logSalts:logChecksum], index[indexSalts:indexSalts+8]) {
		return nil // the log was to start anew, and still has the header of before
	}
	if found := committedFrames(log); found > binary.NativeEndian.Uint32(index[indexFrames:]) {
		return errMayBeStored
	}
	return nil
}

// committedFrames returns the number of frames of a log up to the last one with a commit mark, as a
// recovery counts them (walIndexRecover in SQLite's wal.c): it stops at the first frame whose salts
// are not those of the log, or whose checksum, which continues that of the frame before, is wrong.
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
	sums := checksum{}.over(log[:logChecksum], order)
	if sums != sumsAt(log[logChecksum:]) || pageSize < 512 {
		return 0
	}
	salts := log[logSalts:logChecksum]
	rest := log[logHeaderSize:]
	for n := uint32(1); len(rest) >= frameHeaderSize+pageSize; n++ {
		frame := rest[:frameHeaderSize+pageSize]
		rest = rest[len(frame):]
		sums = sums.over(frame[:frameSalts], order).over(frame[frameHeaderSize:], order)
		if !bytes.Equal(frame[frameSalts:frameChecksum], salts) || sums != sumsAt(frame[frameChecksum:]) {
			break
		}
		if binary.BigEndian.Uint32(frame[frameCommitMark:]) != 0 {
			committed = n
		}
	}
	return committed
}

// checksum is the checksum of SQLite's log: two sums over pairs of 32-bit words.
type checksum [2]uint32

// over continues the checksum over data.
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

// openIndex opens the log's index for checkUncommitted. It stays open as long as the database: on most
// systems a process loses all its locks on a file when it closes the file once, however often it has
// it open. The next process would take the index for one that nobody uses, and empty it.
func (s *Store) openIndex() (err error) {
	s.index, err = os.Open(s.files[2].path)
	return err
}

// closeIndex closes the log's index, after the last connection is closed.
func (s *Store) closeIndex() error {
	if s.index == nil {
		return nil
	}
	err := s.index.Close()
	s.index = nil
	return err
}
