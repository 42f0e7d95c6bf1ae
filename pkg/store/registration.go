package store

import (
	"context"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Registration is a user's row in an event. It is cancelled, or it is confirmed and holds a seat,
// or it waits: Event.Confirmed tells the last two apart.
//
// There is at most one for each user and event. It stays when it is cancelled, and is used again
// when the user registers anew. A cancellation under an idempotency key that finds none to cancel
// makes one that is cancelled from the start, to remember the key in.
type Registration struct {
	EventID ID
	UserID  ID
	// Number is the order of admission to the event: 1, 2, 3. No number is given twice.
	Number int64
	// RequestID is that of the request that made the registration. As long as the registration is
	// not cancelled, a request that comes again with it gets the same outcome again.
	RequestID    string
	RegisteredAt time.Time
	Cancelled    bool
	// CancelledAt is when the registration was cancelled, or when a cancellation of it was last
	// remembered; zero: it is not cancelled, or an older version has cancelled it.
	CancelledAt time.Time
	// Past has the requests of the user for the event that are over, at most maxPast, so that one
	// that comes again changes nothing: those that made a registration which is cancelled since,
	// those that cancelled, and, of those that were Keyed, also those that found nothing to cancel
	// or found a registration. A request that is no longer in the list is taken for a new one.
	Past PastRequests
	// Revisions are those of the event at which a request of somebody changed the registration, the
	// oldest first, at most maxRevisions: where in the record of changes (Changes) it is. It has
	// not the one at which the user moved up from the waiting list.
	Revisions Revisions
}

// RegistrationID names a registration.
type RegistrationID struct{ EventID, UserID ID }

// Equal reports whether two registrations agree in every field.
func (r Registration) Equal(other Registration) bool { return reflect.DeepEqual(r, other) }

// UserRegistration is a registration together with its event.
type UserRegistration struct {
	Registration Registration
	Event        Event
}

// UserLists are lists of registrations of several users. When there was no room for all, whoever is in neither field was not
// read.
type UserLists struct {
	Whole map[ID][]UserRegistration // by user
	Cut   ID                        // whose list may be longer than what was read of it; zero: nobody's
	Read  int                       // how many registrations of Cut were read
}

// Registrations reads the registrations. Its reads see everything that was acknowledged before
// they began. Errors of every method, beside those that it names: ErrUnavailable, and
// ErrNothingStored for a fault that does not pass. A sequence yields an error at most once, as its
// last element.
type Registrations interface {
	// Roster reads the registrations of an event that are not cancelled, by Number, in constant
	// memory: those with a number above after and at most through, and at most limit of them (0:
	// no limit). An event that does not exist has none.
	Roster(ctx context.Context, eventID ID, after, through int64, limit int) iter.Seq2[Registration, error]
	// Registration reads a registration that is not cancelled. Errors: ErrRegistrationNotFound.
	Registration(ctx context.Context, eventID, userID ID) (Registration, error)
	// RegistrationsByID reads registrations that are not cancelled, at one moment each. Those that
	// there are not are missing in the map. No id may be there twice.
	RegistrationsByID(ctx context.Context, ids []RegistrationID) (map[RegistrationID]Registration, error)
	// Position returns the position in the waiting list, from 1, of the registration with this
	// number, or 0 when it is confirmed. It may be off by what happens during the call. Errors:
	// ErrEventNotFound.
	Position(ctx context.Context, eventID ID, number int64) (int64, error)
	// Entered reads an event, and who has a row in it, also a cancelled one, all of one moment: those whose number is above
	// after, the lowest first, at most limit. Errors: ErrEventNotFound.
	Entered(ctx context.Context, eventID ID, after int64, limit int) (e Event, users []NumberedUser, err error)
	// UserRegistrations reads the registrations of a user, also the cancelled ones, each with its
	// event, the newest event first: those of events whose id is below before (zero: all), and at
	// most limit of them (0: no limit). Its cost grows with limit only, which is why it does not
	// leave out the cancelled ones.
	UserRegistrations(ctx context.Context, userID, before ID, limit int) iter.Seq2[UserRegistration, error]
	// UserLists reads the whole lists that UserRegistrations reads, of one or several users at once, and at most so many
	// registrations together. No user may be there twice.
	UserLists(ctx context.Context, users []ID, most int) (UserLists, error)
}

// Bounds of the lists of past requests.
const (
	// maxPast bounds Registration.Past.
	maxPast = 32
	// maxEdits bounds Event.LastEdits. An edit comes again only within the time limit of its HTTP
	// request, under an id that nobody else has.
	maxEdits = 8
	// maxRevisions bounds Registration.Revisions.
	maxRevisions = 32
)

// Revisions is a list of revisions of an event. Its methods never write to its elements.
type Revisions []int64

// add returns a new list with the revision at its end, unless it is there. It drops the oldest above
// maxRevisions.
func (r Revisions) add(revision int64) Revisions {
	if slices.Contains(r, revision) {
		return r
	}
	list := append(slices.Clone(r), revision)
	return list[max(0, len(list)-maxRevisions):]
}

// String returns the list as databases store it: numbers with spaces between.
func (r Revisions) String() string {
	words := make([]string, len(r))
	for i, n := range r {
		words[i] = strconv.FormatInt(n, 10)
	}
	return strings.Join(words, " ")
}

// ParseRevisions reads what Revisions.String returns. It leaves out what is not a number.
func ParseRevisions(stored string) Revisions {
	var list Revisions
	for word := range strings.FieldsSeq(stored) {
		if n, err := strconv.ParseInt(word, 10, 64); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// MarshalBSONValue implements bson.ValueMarshaler.
func (r Revisions) MarshalBSONValue() (typ byte, data []byte, err error) {
	t, data, err := bson.MarshalValue(r.String())
	return byte(t), data, err
}

// UnmarshalBSONValue implements bson.ValueUnmarshaler.
func (r *Revisions) UnmarshalBSONValue(typ byte, data []byte) error {
	var stored string
	if err := bson.UnmarshalValue(bson.Type(typ), data, &stored); err != nil {
		return err
	}
	*r = ParseRevisions(stored)
	return nil
}

// PastRequest is a request that is over, and is remembered in case it comes again.
type PastRequest struct {
	ID string
	// FoundRegistration says that the request asked for a registration, found one, and was told
	// so. Otherwise the request changed or cancelled something.
	FoundRegistration bool
}

// PastRequests is a list of past requests without doubles, the oldest first. Its methods never
// write to its elements, so copies of a list may be used at the same time.
type PastRequests []PastRequest

// Has reports whether r is in the list.
func (p PastRequests) Has(r PastRequest) bool { return slices.Contains(p, r) }

// add returns a new list with the requests that p does not have yet at its end. It drops the
// oldest above limit.
func (p PastRequests) add(limit int, requests ...PastRequest) PastRequests {
	list := slices.Clone(p)
	for _, r := range requests {
		if !list.Has(r) {
			list = append(list, r)
		}
	}
	return list[max(0, len(list)-limit):]
}

// foundMark begins the line of a PastRequest with FoundRegistration. No request id begins with it.
const foundMark = "\t"

// String returns the list as databases store it: one request a line. Request ids have no line ends.
func (p PastRequests) String() string {
	lines := make([]string, len(p))
	for i, r := range p {
		lines[i] = r.ID
		if r.FoundRegistration {
			lines[i] = foundMark + r.ID
		}
	}
	return strings.Join(lines, "\n")
}

// ParsePastRequests reads what PastRequests.String returns.
func ParsePastRequests(stored string) PastRequests {
	if stored == "" {
		return nil
	}
	lines := strings.Split(stored, "\n")
	list := make(PastRequests, len(lines))
	for i, line := range lines {
		list[i].ID, list[i].FoundRegistration = strings.CutPrefix(line, foundMark)
	}
	return list
}

// MarshalBSONValue implements bson.ValueMarshaler.
func (p PastRequests) MarshalBSONValue() (typ byte, data []byte, err error) {
	t, data, err := bson.MarshalValue(p.String())
	return byte(t), data, err
}

// UnmarshalBSONValue implements bson.ValueUnmarshaler.
func (p *PastRequests) UnmarshalBSONValue(typ byte, data []byte) error {
	var stored string
	if err := bson.UnmarshalValue(bson.Type(typ), data, &stored); err != nil {
		return err
	}
	*p = ParsePastRequests(stored)
	return nil
}

// Attendee is a registration that is not cancelled, with the name and the address of its user. Both
// are empty when the store has no such user: an API in trusted mode takes any user id.
type Attendee struct {
	UserID       ID
	Number       int64 // in the event's order of admission
	RegisteredAt time.Time
	Name, Email  string
}

// AttendeeQuery selects attendees of an event. They come by Number.
type AttendeeQuery struct {
	EventID ID
	// After and Through bound the numbers: those above After and at most Through.
	After, Through int64
	Descending     bool // the highest Number first
	Limit          int  // attendees at most; 0: no limit
}

// Attendees reads who comes to an event.
type Attendees interface {
	// Attendees reads the attendees that q selects, in constant memory, at a cost that grows with
	// their number only. Its reads see everything that was acknowledged before they began. An event
	// that does not exist has none. Errors: ErrUnavailable, and ErrNothingStored for a fault that
	// does not pass; at most one, as the last element.
	Attendees(ctx context.Context, q AttendeeQuery) iter.Seq2[Attendee, error]
}
