package worker

import "github.com/nats-io/nats.go"

// Waiting returns how many accepted requests are in no batch yet.
func (w *Worker) Waiting() int {
	w.queue.mu.Lock()
	defer w.queue.mu.Unlock()
	return w.queue.waiting
}

// Receive takes a message as if it had come from NATS.
func (w *Worker) Receive(msg *nats.Msg) { w.receive(msg) }
