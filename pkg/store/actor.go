package store

// Actor is who made a SeatRequest. The zero Actor stands for a request that does not say it:
// an API process of the version before sent it.
type Actor struct {
	Kind ActorKind
	// ID belongs to what Kind names: a user, or an API key. It is zero where Kind has no ids.
	ID ID
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
}
