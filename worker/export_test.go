package worker

// Waiting returns how many accepted requests are in no batch yet.
func (w *Worker) Waiting() int {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	return w.queue.waiting
}
