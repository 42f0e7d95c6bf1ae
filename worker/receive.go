package worker

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/pkg/messages"
)

// This file is where messages of strangers come in. Whoever may publish on NATS can send any
// message, so nothing in it is believed: see docs/security.md.

// receive is the callback for messages with seat requests. It answers probes and what it
// refuses, and puts all other requests into the queue.
func (w *Worker) receive(msg *nats.Msg) {
	if !messages.IsInbox(msg.Reply) { // a reply elsewhere could be a request, to this worker even
		w.stats.refused.WithLabelValues(refusedInbox).Inc()
		w.fail(msg, errNoInbox)
		w.sampledLog.Warn().Msg("a message is dropped, because its reply subject is no inbox")
		return
	}
	now := time.Now()
	all, err := messages.DecodeRequests(msg.Data)
	if err != nil {
		w.stats.refused.WithLabelValues(refusedUnreadable).Inc()
		w.fail(msg, errUnreadable)
		w.sampledLog.Warn().Err(err).Int("bytes", len(msg.Data)).Msg("a message cannot be read")
		w.refuse(msg.Reply)
		return
	}
	if w.taken.again(msg.Reply, now) {
		w.sampledLog.Warn().Msg("a message is dropped, because it comes a second time")
		return
	}
	requester, _ := messages.SplitReplySubject(msg.Reply)
	recovering := w.pauses.recovering(now)
	out := replies{worker: w}
	defer out.send()
	accepted := make([]request, 0, len(all))
	for i, req := range all {
		r := request{SeatRequest: req, reply: msg.Reply, item: i, received: now, trace: tracing.Read(req.TraceParent)}
		if err := check(req); err != nil {
			w.stats.refused.WithLabelValues(refusedInvalid).Inc()
			w.fail(msg, errInvalid)
			w.sampledLog.Warn().Err(err).Msg("a request is refused")
			out.add(r, messages.SeatReply{Outcome: messages.OutcomeInvalid})
			continue
		}
		delay, known := w.delays.estimate(requester, req.SentMillis, now, recovering)
		if req.Kind == messages.KindProbe {
			out.add(r, messages.SeatReply{Outcome: messages.OutcomeProbed})
			continue
		}
		if !known { // another worker may have answered it since it was sent
			w.stats.refused.WithLabelValues(refusedUnknown).Inc()
			w.sampledLog.Warn().Msg("requests of an API process that was not heard before are refused: this worker was stopped a moment ago")
			out.add(r, messages.SeatReply{Outcome: messages.OutcomeOverloaded})
			continue
		}
		r.deadline = now.Add(time.Duration(req.RemainingMillis)*time.Millisecond - delay)
		if req.SentMillis != 0 {
			r.sent = now.Add(-delay - sentMargin)
		}
		accepted = append(accepted, r)
	}
	for _, r := range accepted[w.queue.put(accepted):] {
		w.stats.refused.WithLabelValues(refusedFull).Inc()
		w.sampledLog.Warn().Int("waiting", w.config.MaxWaiting).Msg("the queue is full, requests are refused")
		out.add(r, messages.SeatReply{Outcome: messages.OutcomeOverloaded})
	}
}

// What service discovery tells of a message that is not taken. It has nothing of the message, because
// others may ask there than those who may read messages.
var (
	errNoInbox    = errors.New("the reply subject is no inbox")
	errUnreadable = errors.New("the message cannot be read")
	errInvalid    = errors.New("a request is invalid")
)

// fail has service discovery tell of a message that is not taken.
func (w *Worker) fail(msg *nats.Msg, err error) {
	w.mu.Lock()
	service := w.service
	w.mu.Unlock()
	if service != nil { // it is for a moment only while the worker starts
		service.Fail(msg, err)
	}
}

// check returns why the API cannot have sent a request, or nil: its form, its actor and, in an
// edit, each field are checked by the rules of the API. What depends on the event, the store
// checks when it decides.
func check(req messages.SeatRequest) error {
	if err := req.Check(); err != nil {
		return err
	}
	if req.Kind == messages.KindProbe {
		return nil
	}
	r := storeRequest(req, time.Time{})
	if err := r.CheckActor(); err != nil {
		return err
	}
	if r.Edit != nil {
		if wrong := r.Edit.Check(); len(wrong) > 0 {
			return wrong[0]
		}
	}
	return nil
}

// refuse answers all requests of a message that cannot be read.
func (w *Worker) refuse(replySubject string) {
	data, err := messages.Encode(messages.SeatReply{Outcome: messages.OutcomeInvalid})
	if err != nil {
		w.sampledLog.Warn().Err(err).Msg("an answer cannot be sent")
		return
	}
	w.publish(replySubject, data)
}
