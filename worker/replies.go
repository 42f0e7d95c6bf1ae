package worker

import "github.com/eventio/eventio/pkg/messages"

// answers gathers replies: those to one API process travel in one message.
type answers struct {
	worker  *Worker
	bundles []*bundle // in order of their first reply
	given   []given
}

// given is a request and what it was told.
type given struct {
	request request
	outcome messages.Outcome
}

// bundle is what goes to one requester.
type bundle struct {
	requester, subject string
	data               []byte
}

// add puts in the reply to a request.
func (a *answers) add(r request, reply messages.SeatReply) {
	requester, name := messages.SplitReplySubject(r.reply)
	reply.Message, reply.Item = name, r.item
	data, err := messages.Encode(reply)
	if err != nil {
		a.worker.noise.Warn().Err(err).Str("outcome", string(reply.Outcome)).Msg("an answer cannot be sent")
		return
	}
	a.given = append(a.given, given{r, reply.Outcome})
	b := a.bundle(requester, r.reply)
	if len(b.data)+len(data) > messages.MaxMessage {
		a.worker.publish(b.subject, b.data)
		b.data = nil
	}
	b.data = append(b.data, data...)
}

func (a *answers) bundle(requester, subject string) *bundle {
	for _, b := range a.bundles { // as many as there are API processes
		if b.requester == requester {
			return b
		}
	}
	b := &bundle{requester: requester, subject: subject}
	a.bundles = append(a.bundles, b)
	return b
}

// send sends what was gathered.
func (a *answers) send() {
	for _, b := range a.bundles {
		a.worker.publish(b.subject, b.data)
	}
	a.bundles = nil
}

// publish sends replies. What cannot be sent is lost, like any message; its callers will
// ask again.
func (w *Worker) publish(subject string, data []byte) {
	if err := w.conn.Publish(subject, data); err != nil {
		w.noise.Warn().Err(err).Msg("answers cannot be sent")
	}
}
