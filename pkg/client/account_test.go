package client_test

import (
	"maps"
	"testing"

	"github.com/eventio/eventio/pkg/client"
)

func TestAccounts(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	ada, eve := signUp(t, nobody, "ada"), signUp(t, nobody, "eve")
	me := must[client.User](t)(ada.User(ctx, ada.ID))
	if me.ID != ada.ID || me.Name != "ada" || me.Email != "ada@example.org" || !me.CreatedAt.Equal(ada.CreatedAt) {
		t.Errorf("she is %+v", me)
	}
	_, err := eve.User(ctx, ada.ID)
	wants(t, err, client.CodeForbidden)
	if me = must[client.User](t)(ada.EditUser(ctx, ada.ID, client.UserEdit{Name: new("Countess")})); me.Name != "Countess" || me.Email != ada.Email {
		t.Errorf("she is %+v", me)
	}
	if me = must[client.User](t)(ada.EditUser(ctx, ada.ID, client.UserEdit{Email: new("countess@example.org")})); me.Name != "Countess" || me.Email != "countess@example.org" {
		t.Errorf("she is %+v", me)
	}
	_, err = ada.EditUser(ctx, ada.ID, client.UserEdit{Email: new("EVE@example.org")})
	wants(t, err, client.CodeEmailTaken)

	hers, his := ada.newEvent(t, opening(3)), eve.newEvent(t, opening(3))
	for _, p := range []person{ada, eve} {
		must[client.Registration](t)(p.Register(ctx, his.ID, client.ID{}))
	}
	got := make(map[any]int)
	for _, r := range all(t, ada.ExportUser(ctx, ada.ID)) {
		got[r.Type]++
		if r.User != nil && r.User.Email != me.Email || r.Event != nil && r.Event.ID != hers.ID || r.Registration != nil && r.Registration.EventID != his.ID ||
			r.Session != nil && !r.Session.Current {
			t.Errorf("the record is %+v", r)
		}
	}
	if want := map[any]int{client.ExportUser: 1, client.ExportLogIn: 1, client.ExportEvent: 1, client.ExportRegistration: 1}; !maps.Equal(got, want) {
		t.Errorf("the export has %v", got)
	}
	for _, err := range eve.ExportUser(ctx, ada.ID) {
		wants(t, err, client.CodeForbidden)
	}

	if err := ada.DeleteUser(ctx, ada.ID); err != nil {
		t.Fatal(err)
	}
	_, err = ada.User(ctx, ada.ID)
	wants(t, err, client.CodeUnauthenticated)
	if e := must[client.Event](t)(nobody.Event(ctx, his.ID)); e.TicketsSold != 1 {
		t.Errorf("the event is %+v", e)
	}
	if e := must[client.Event](t)(nobody.Event(ctx, hers.ID)); e.CancelledAt.IsZero() {
		t.Errorf("her event is %+v", e)
	}
}

func TestLogIns(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	ada := signUp(t, nobody, "ada")
	again := func() *client.Client {
		return nobody.As(must[client.Session](t)(nobody.LogIn(ctx, ada.Email, password)).Token)
	}
	second, third := again(), again()
	list := must[[]client.LogIn](t)(second.LogIns(ctx, ada.ID))
	if len(list) != 3 || !list[1].Current || list[0].Current || list[2].Current || list[0].Client == "" {
		t.Fatalf("the log-ins are %+v", list)
	}
	if err := second.EndLogIn(ctx, ada.ID, list[0].ID); err != nil {
		t.Fatal(err)
	}
	_, err := third.User(ctx, ada.ID)
	wants(t, err, client.CodeUnauthenticated)
	for range 2 {
		if err := second.LogOut(ctx); err != nil {
			t.Fatal(err)
		}
	}
	_, err = second.User(ctx, ada.ID)
	wants(t, err, client.CodeUnauthenticated)
	must[client.User](t)(ada.User(ctx, ada.ID))
	fourth := again()
	if err := fourth.EndLogIns(ctx, ada.ID); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client.Client{ada.Client, fourth} {
		_, err = c.User(ctx, ada.ID)
		wants(t, err, client.CodeUnauthenticated)
	}
	must[client.User](t)(again().User(ctx, ada.ID))
}
