// Package client is the Go client of Event.io's HTTP API: a method for each operation, typed
// requests and answers, errors that tell what has happened, and retries that are safe.
//
//	c, err := client.New("http://127.0.0.1:3000", client.Config{})
//	...
//	session, err := c.SignUp(ctx, client.NewUser{Name: "Ada", Email: "ada@example.org", Password: password})
//	...
//	ada := c.As(session.Token)
//	registration, err := ada.Register(ctx, event, client.ID{})
//
// A [Client] speaks for the person of its token; [Client.As] makes one for another person over
// the same connections. All methods are safe for concurrent use.
//
// docs/api.md of the repository describes the operations. /api/session, which is about a browser's
// cookie, /livez, /openapi.json and /docs have no method.
//
// # Retries
//
// A call that got no definite answer is sent again: after a connection that broke or could not
// be made, an answer that did not begin in time, 429, 502, 503, 504, and 409
// request_in_progress. It waits for as long as Retry-After says, or else twice as long each
// time, and a random part more, so that clients that were refused together do not come back
// together. [Retry] has the numbers. The end of the context ends the call.
//
// No other answer is asked for again: a sold-out event is not asked whether it still is.
//
// # Idempotency keys
//
// [Client.SignUp], [Client.CreateEvent], [Client.Register], [Client.PutRegistration] and
// [Client.CancelRegistration] send an Idempotency-Key, the same in each attempt of a call, so
// that a repetition whose first attempt has arrived gets the answer of that attempt. Without a
// [Key] among the options each call makes one of its own. A caller who wants to repeat a call
// after a crash makes the key, stores it, and gives it again.
//
// [Client.CancelEvent] is repeatable as it is. [Client.EditEvent] is guarded by the event's
// version: it is sent again, and with the ETag "*" only while surely nothing has happened.
// [Client.ChangePassword], [Client.EditUser] and [Client.EndLogIns] have no guard, and are sent
// again only while surely nothing has happened. [Client.LogOut], [Client.EndLogIn] and
// [Client.DeleteUser] are repeatable as they are.
//
// # What an error tells
//
// Every error of a method is an [*Error] and tells one of these:
//
//   - errors.Is(err, [ErrUnknownOutcome]): the change may have been made. The context or the
//     attempts ended before a definite answer came. Repeat the call with the [Key] of the
//     error, or read what is stored; after EditEvent read the event, after EditUser the user, after
//     ChangePassword log in with the new password, after DeleteUser and EndLogIns log in.
//   - every other error of a call that changes something: the change was surely not made.
//
// The cause is one of these:
//
//   - [*Problem], by errors.As: the API answered, and its [Code] says why it refused. Codes
//     are errors too: errors.Is(err, [CodeSoldOut]). After 500 the outcome is unknown.
//   - context.Canceled or context.DeadlineExceeded, by errors.Is: the caller's context ended.
//   - an error of net or net/http: the API was not reached, or the connection broke.
//
// A doubt stays: when the first attempt was lost and the second one is told 503 overloaded,
// which by itself means that surely nothing happened, the outcome of the call is unknown. Only a
// refusal that decides about the request under its key, such as sold_out, ends the doubt. An
// attempt that the caller gave up stays under way in the service for as long as
// EVENTIO_REQUEST_TIMEOUT (5 s by default), so [Retry].Timeout should be above that.
package client
