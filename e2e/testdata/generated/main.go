// Command generated uses a client that oapi-codegen has made of the served OpenAPI document, with its
// defaults: generated URL. The client is client.gen.go, which the test puts beside this file.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/oapi-codegen/runtime/types"
)

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("signed up, created, searched, edited, registered, listed and given up")
}

// answer is what all generated answers have.
type answer interface{ StatusCode() int }

// want returns an error unless the answer has the status and, for a success, a value that was read from it.
func want(what string, got answer, err error, status int, read bool) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if got.StatusCode() != status || !read {
		return fmt.Errorf("%s: %d, want %d, and it was read: %v", what, got.StatusCode(), status, read)
	}
	return nil
}

func to[T any](v T) *T { return &v }

func run(ctx context.Context, url string) error {
	stranger, err := NewClientWithResponses(url)
	if err != nil {
		return err
	}
	const password = "correct horse sch\u00f6ne"
	email := types.Email(fmt.Sprintf("ada.%d@b\u00fccher.example", time.Now().UnixNano()))
	user, err := stranger.CreateUserWithResponse(ctx, &CreateUserParams{IdempotencyKey: to("sign-up")}, NewUser{Name: "Ada", Email: email, Password: password})
	if err := want("sign up", user, err, http.StatusCreated, user != nil && user.JSON201 != nil); err != nil {
		return err
	}
	id := user.JSON201.Id
	session, err := stranger.LoginWithResponse(ctx, nil, Credentials{Email: email, Password: password})
	if err := want("log in", session, err, http.StatusOK, session != nil && session.JSON200 != nil); err != nil {
		return err
	}
	token := session.JSON200.Token
	ada, err := NewClientWithResponses(url, WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}))
	if err != nil {
		return err
	}
	starts := time.Now().UTC().Add(24 * time.Hour).Truncate(time.Second)
	title := fmt.Sprintf("Opening %d \U0001F469\u200d\U0001F467", time.Now().UnixNano())
	made, err := ada.CreateEventWithResponse(ctx, nil, NewEvent{Title: title, Capacity: 1, StartsAt: starts, EndsAt: starts.Add(2 * time.Hour), Place: to("Hall 1")})
	if err := want("create an event", made, err, http.StatusCreated, made != nil && made.JSON201 != nil); err != nil {
		return err
	}
	event := *made.JSON201
	if event.Title != title || !event.StartsAt.Equal(starts) || event.OrganizerId != id {
		return fmt.Errorf("the event is %+v", event)
	}
	found, err := stranger.ListEventsWithResponse(ctx, &ListEventsParams{Q: to(title), Available: to(true), Limit: to(10), From: &starts})
	if err := want("search", found, err, http.StatusOK, found != nil && found.JSON200 != nil && len(*found.JSON200) == 1); err != nil {
		return err
	}
	if err := edit(ctx, ada, event.Id); err != nil {
		return err
	}
	seat, err := ada.RegisterWithResponse(ctx, event.Id, &RegisterParams{IdempotencyKey: to("seat")}, NewRegistration{})
	if err := want("register", seat, err, http.StatusCreated, seat != nil && seat.JSON201 != nil && seat.JSON201.UserId == id); err != nil {
		return err
	}
	twice, err := ada.RegisterWithResponse(ctx, event.Id, nil, NewRegistration{UserId: &id})
	if err := want("register twice", twice, err, http.StatusBadRequest, twice != nil && twice.ApplicationproblemJSON400 != nil); err != nil {
		return err
	}
	if code := twice.ApplicationproblemJSON400.Code; code != "already_registered" {
		return fmt.Errorf("the code is %s", code)
	}
	list, err := ada.ListRegistrationsWithResponse(ctx, event.Id, nil)
	if err := want("list", list, err, http.StatusOK, list != nil && list.JSON200 != nil && len(*list.JSON200) == 1 && (*list.JSON200)[0] == id); err != nil {
		return err
	}
	gone, err := ada.DeleteRegistrationWithResponse(ctx, event.Id, id, nil)
	if err := want("give up", gone, err, http.StatusNoContent, true); err != nil {
		return err
	}
	out, err := ada.LogoutWithResponse(ctx, nil)
	return want("log out", out, err, http.StatusNoContent, true)
}

// edit sends an event back as it was read, with one field changed.
func edit(ctx context.Context, ada *ClientWithResponses, id ID) error {
	read, err := ada.ReadEventWithResponse(ctx, id, nil)
	if err := want("read the event", read, err, http.StatusOK, read != nil && read.JSON200 != nil); err != nil {
		return err
	}
	var body EventEdit
	if err := json.NewDecoder(bytes.NewReader(read.Body)).Decode(&body); err != nil {
		return err
	}
	body.Capacity = to(int64(2))
	edited, err := ada.EditEventWithResponse(ctx, id, &EditEventParams{IfMatch: read.HTTPResponse.Header.Get("ETag")}, body)
	if err := want("edit", edited, err, http.StatusOK, edited != nil && edited.JSON200 != nil); err != nil {
		return err
	}
	if edited.JSON200.Capacity != 2 || edited.JSON200.Title != read.JSON200.Title {
		return fmt.Errorf("the event became %+v", edited.JSON200)
	}
	return nil
}
