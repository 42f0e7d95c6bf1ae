package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/eventio/eventio/pkg/client"
)

// serve starts an Event.io for an example.
func serve() (url string, stop func()) {
	s, err := startService()
	if err != nil {
		log.Fatal(err)
	}
	return s.URL, func() {
		if err := s.stop(); err != nil {
			log.Fatal(err)
		}
	}
}

// An organizer creates an event, and a guest takes its only seat.
func Example() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()

	c, err := client.New(url, client.Config{})
	if err != nil {
		log.Fatal(err)
	}
	session, err := c.SignUp(ctx, client.NewUser{Name: "Ada", Email: "ada@example.org", Password: "correct horse battery"})
	if err != nil {
		log.Fatal(err)
	}
	ada := c.As(session.Token)
	starts := time.Date(2027, 5, 1, 18, 0, 0, 0, time.UTC)
	event, err := ada.CreateEvent(ctx, client.NewEvent{
		Title: "Opening night", Capacity: 1, StartsAt: starts, EndsAt: starts.Add(2 * time.Hour),
	})
	if err != nil {
		log.Fatal(err)
	}

	guest, err := c.SignUp(ctx, client.NewUser{Name: "Bob", Email: "bob@example.org", Password: "correct horse battery"})
	if err != nil {
		log.Fatal(err)
	}
	registration, err := c.As(guest.Token).Register(ctx, event.ID, client.ID{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(registration.Status, registration.Number)

	_, err = ada.Register(ctx, event.ID, client.ID{})
	fmt.Println(errors.Is(err, client.CodeSoldOut))
	// Output:
	// confirmed 1
	// true
}

// What an error tells, from a definite refusal to an outcome that is not known.
func ExampleError() {
	url, stop := serve()
	defer stop()
	c, err := client.New(url, client.Config{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.SignUp(context.Background(), client.NewUser{Name: "Ada", Email: "ada@example.org", Password: "short"})
	var failed *client.Error
	var problem *client.Problem
	switch {
	case errors.Is(err, client.ErrUnknownOutcome) && errors.As(err, &failed):
		fmt.Println("Perhaps. Ask again with", client.Key(failed.Key))
	case errors.Is(err, client.CodeEmailTaken):
		fmt.Println("You have signed up already.")
	case errors.As(err, &problem):
		for _, f := range problem.Fields {
			fmt.Println(f.Field, f.Reason)
		}
	case err != nil:
		fmt.Println("Nothing has changed:", err)
	}
	// Output: password must have at least 8 characters
}

// A caller who must survive a crash makes the key, and stores it before the call.
func ExampleKey() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	c, err := client.New(url, client.Config{})
	if err != nil {
		log.Fatal(err)
	}
	user := client.NewUser{Name: "Ada", Email: "ada@example.org", Password: "correct horse battery"}
	first, err := c.SignUp(ctx, user, client.Key("sign-up-4711"))
	if err != nil {
		log.Fatal(err)
	}
	again, err := c.SignUp(ctx, user, client.Key("sign-up-4711"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.ID == again.ID)
	// Output: true
}

// Lists are iterators, which read page by page.
func ExampleClient_Events() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	c, err := client.New(url, client.Config{})
	if err != nil {
		log.Fatal(err)
	}
	session, err := c.SignUp(ctx, client.NewUser{Name: "Ada", Email: "ada@example.org", Password: "correct horse battery"})
	if err != nil {
		log.Fatal(err)
	}
	for day := range 3 {
		starts := time.Date(2027, 5, 1+day, 18, 0, 0, 0, time.UTC)
		if _, err := c.As(session.Token).CreateEvent(ctx, client.NewEvent{
			Title: fmt.Sprint("Evening ", day+1), Capacity: 10, StartsAt: starts, EndsAt: starts.Add(time.Hour),
		}); err != nil {
			log.Fatal(err)
		}
	}
	for event, err := range c.Events(ctx, client.EventQuery{From: time.Date(2027, 5, 2, 0, 0, 0, 0, time.UTC)}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Title, event.Capacity-event.TicketsSold)
	}
	// Output:
	// Evening 2 10
	// Evening 3 10
}
