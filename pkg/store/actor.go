package store

import (
	"errors"
	"time"
)

// Actor is who made a SeatRequest, as the sender says. It proves nothing: whoever can send the
// request can claim any Actor. The zero Actor stands for a request that does not say it: an API
// process of the version before sent it.
type Actor struct {
	Kind ActorKind
	// ID belongs to what Kind names: a user, or an API key. It is zero where Kind has no ids.
	ID ID
	// Proof says how they have proven it. The zero Proof is a token of ours, or no proof at all where
	// Kind says so.
	Proof Proof
}

// Proof says how somebody has proven who they are. The zero Proof is a token that Event.io has signed.
type Proof string

// The proofs by others. Never rename, never reuse: they are in the record of changes, after the kind of
// the actor. The set is open, as that of kinds.
const (
	ProofOIDC   Proof = "oidc"   // a token of an issuer that the operator has named
	ProofHeader Proof = "header" // the word of a gateway that the operator has named
	ProofKey    Proof = "key"    // an API key
)

// ByKey returns the proof by the API key with that id, which the record of changes and logs of workers tell: key/ and the id.
func ByKey(id ID) Proof { return ProofKey + "/" + Proof(id.Hex()) }

// String returns the word of p, which for a token of ours is token.
func (p Proof) String() string {
	if p == "" {
		return "token"
	}
	return string(p)
}

// ActorKind says in which role an Actor acts, or that nobody proved who acts.
type ActorKind string

// The kinds of actors. Never rename, never reuse. The set is open: a store keeps a kind that it
// does not know as it came, because a newer API process sent it.
const (
	// ActorPerson is a user who proved who they are, and acts for themselves. ID is the user.
	ActorPerson ActorKind = "person"
	// ActorOrganizer is the organizer of the event, who proved it, and acts on the event or on
	// somebody else's registration. ID is the organizer's user.
	ActorOrganizer ActorKind = "organizer"
	// ActorOperator is who runs the system and uses one of its tools. It has no ID.
	ActorOperator ActorKind = "operator"
	// ActorKey is a program that proved itself by an API key. ID is the key.
	ActorKey ActorKind = "key"
	// ActorUnproven is somebody who proved nothing, where the API trusts the ids in requests. ID
	// is the user that the request claims to act for, zero when it claims none.
	ActorUnproven ActorKind = "unproven"
)

// Action is one request of a batch that changed a registration or the event.
type Action struct {
	Kind  Kind
	Actor Actor
	// UserID and Number are those of the registration that a Register made or a Cancel
	// cancelled. They are zero for EditEvent and Recount.
	UserID ID
	Number int64
	// Waiting says that the registration waits (Register) or waited (Cancel).
	Waiting   bool
	RequestID string
	At        time.Time // of the request, in milliseconds
	// Edited has the keys (EventField.Key) of the fields that an EditEvent set.
	Edited []string
	// CancelsEvent says that an EditEvent cancelled the event.
	CancelsEvent bool
	// Promoted says who moved up because of this request: it freed seats, or made new ones.
	Promoted Promotion
}

// CheckActor returns why the API cannot have sent the request for its Actor, or nil. It compares
// the request with itself only; whether an organizer is that of the event, Decide finds out. It
// takes kinds that it does not know, and no kind at all, as they are.
func (r SeatRequest) CheckActor() error {
	change := r.Kind == Register || r.Kind == Cancel
	switch a := r.Actor; {
	case a.Kind == ActorPerson && !(change && a.ID == r.UserID):
		return errors.New("a person acts on their own registration only")
	case a.Kind == ActorOrganizer && (a.ID.IsZero() || r.Kind != Cancel && r.Kind != EditEvent):
		return errors.New("an organizer edits the event, or cancels a registration, and has an id")
	case a.Kind == ActorUnproven && (r.Kind == Recount || a.ID != r.UserID):
		return errors.New("who is not proven acts as the user of the registration, and recounts nothing")
	}
	return nil
}

// mayAct reports whether the Actor of a request is the organizer of e, if it claims to be.
func (e Event) mayAct(a Actor) bool { return a.Kind != ActorOrganizer || a.ID == e.OrganizerID }
