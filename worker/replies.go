package worker

import (
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// replies gathers replies, so that those to one API process travel in one message. It is not safe
// for concurrent use.
type replies struct {
	worker   *Worker
	outgoing []*replyMessage // one for each requester, in order of the first reply
	answered []answered
}

// answered is a request with the outcome that it was told.
type answered struct {
	request request
	outcome messages.Outcome
}

// replyMessage is a message with replies to one requester.
type replyMessage struct {
	requester, subject string
	data               []byte
}

// add adds the reply to a request. It sends what was gathered for the requester when the message
// would be too large with the reply.
func (rs *replies) add(r request, reply messages.SeatReply) {
	requester, name := messages.SplitReplySubject(r.reply)
	reply.Message, reply.Item = name, r.item
	data, err := messages.Encode(reply)
	if err != nil {
		rs.worker.sampledLog.Warn().Err(err).Str("outcome", string(reply.Outcome)).Msg("an answer cannot be sent")
		return
	}
	outcome := reply.Outcome
	if reply.Again { // who operates the worker sees that it is not overloaded
		outcome = store.Overtaken
	}
	rs.answered = append(rs.answered, answered{r, outcome})
	m := rs.messageTo(requester, r.reply)
	if len(m.data)+len(data) > messages.MaxMessage {
		rs.worker.publish(m.subject, m.data)
		m.data = nil
	}
	m.data = append(m.data, data...)
}

// messageTo returns the message to a requester. A new one is sent to subject.
func (rs *replies) messageTo(requester, subject string) *replyMessage {
	for _, m := range rs.outgoing { // as many as there are API processes
		if m.requester == requester {
			return m
		}
	}
	m := &replyMessage{requester: requester, subject: subject}
	rs.outgoing = append(rs.outgoing, m)
	return m
}

// send sends all gathered replies.
func (rs *replies) send() {
	for _, m := range rs.outgoing {
		rs.worker.publish(m.subject, m.data)
	}
	rs.outgoing = nil
}

// publish sends replies. When it cannot, they are lost as any message may be, and the requester
// sends the requests again.
func (w *Worker) publish(subject string, data []byte) {
	if err := w.conn.Publish(subject, data); err != nil {
		w.sampledLog.Warn().Err(err).Msg("answers cannot be sent")
	}
}
