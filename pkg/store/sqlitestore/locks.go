package sqlitestore

import "os"

// openIndex opens the log's index, for uncommitted. It stays open as long as the database: on most
// systems a process loses all its locks on a file when it closes that once, however often it has
// it open. The next process to come would take the index for one that nobody uses, and empty it.
func (s *Store) openIndex() (err error) {
	s.index, err = os.Open(s.files[2].path)
	return err
}

// closeIndex closes it after the last connection is closed.
func (s *Store) closeIndex() error {
	if s.index == nil {
		return nil
	}
	err := s.index.Close()
	s.index = nil
	return err
}
