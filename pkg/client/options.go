package client

// WriteOption is an option of a call that is sent under an Idempotency-Key: a [Key].
type WriteOption interface{ write(*call) }

// CancelOption is an option of [Client.CancelRegistration]: a [Key] or an [IfMatch].
type CancelOption interface{ cancel(*call) }

// Key is the Idempotency-Key under which a call is sent: 1 to 255 printable ASCII characters that
// nobody else would use, for this call and its repetitions only. An empty one is none.
type Key string

func (k Key) write(q *call) {
	if k != "" {
		q.key = string(k)
	}
}

func (k Key) cancel(q *call) { k.write(q) }

// IfMatch is the ETag of the registration that is meant, as [Client.Registration] gives it.
type IfMatch string

func (m IfMatch) cancel(q *call) { q.ifMatch = string(m) }

// keyed gives a call the key among the options, or one of its own.
func keyed(q call, options []WriteOption) call {
	q.key, q.changes = newKey(), true
	for _, o := range options {
		o.write(&q)
	}
	return q
}
