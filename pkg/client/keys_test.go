package client_test

import (
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/client"
)

func TestAPIKeys(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	ada := signUp(t, nobody, "ada")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	key := must[client.APIKey](t)(ada.CreateAPIKey(ctx, client.NewAPIKey{Name: "shop", Scopes: []string{client.ScopeRead, client.ScopeOrganize}, ExpiresAt: until}))
	if key.Key == "" || !key.ExpiresAt.Equal(until) {
		t.Errorf("the key is %+v", key)
	}
	program := nobody.As(key.Key)
	e := must[client.Event](t)(program.CreateEvent(ctx, opening(3)))
	if e.OrganizerID != ada.ID {
		t.Errorf("the event is of %v", e.OrganizerID)
	}
	_, err := program.Register(ctx, e.ID, client.ID{})
	wants(t, err, client.CodeForbidden)
	if all := must[[]client.APIKey](t)(ada.APIKeys(ctx)); len(all) != 1 || all[0].ID != key.ID || all[0].Key != "" {
		t.Errorf("there are %+v", all)
	}
	records := 0
	for _, r := range all(t, ada.ExportUser(ctx, ada.ID)) {
		if r.Type == client.ExportAPIKey && r.APIKey.Name == "shop" && r.APIKey.Key == "" {
			records++
		}
	}
	if records != 1 {
		t.Errorf("the export has %d keys", records)
	}
	for range 2 {
		if err := ada.EndAPIKey(ctx, key.ID); err != nil {
			t.Fatal(err)
		}
	}
	_, err = program.CreateEvent(ctx, opening(3))
	wants(t, err, client.CodeUnauthenticated)
}
