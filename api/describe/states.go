package describe

import (
	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/pkg/store"
)

func stateSchema() *openapi.Schema {
	return &openapi.Schema{Type: "string", Enum: []string{
		string(store.LifeUpcoming), string(store.LifeRunning), string(store.LifeEnded), string(store.LifeCancelled),
	}, Description: "Where the event is in its life when this is answered."}
}

func registrationStateSchema() *openapi.Schema {
	return &openapi.Schema{Type: "string", Enum: []string{
		string(store.RegistrationIsOpen), string(store.RegistrationOpensSoon), string(store.RegistrationIsFull), string(store.RegistrationHasLine),
		string(store.RegistrationIsClosed), string(store.RegistrationHasEnded), string(store.RegistrationIsCancelled),
	}, Description: "Whether one can register when this is answered: a place is to be had (open), from registration_opens_at on (opens_soon), " +
		"all places are taken (full), one can wait for a place (waitlist), registration_closes_at is over (closed), or the event is (ended, cancelled)."}
}
