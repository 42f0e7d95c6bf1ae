package user

import (
	"context"
	"errors"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/store"
)

// creation has the flags of eventio user create.
type creation struct {
	Name   string `required:"" help:"The person's name."`
	Email  string `required:"" help:"Their e-mail address."`
	Proven bool   `help:"The address is known to be theirs."`
}

// create signs somebody up, under the rules of the API. Who repeats it is told that the address is taken.
func (a actions) create(ctx context.Context, c creation) error {
	var f input.Fields
	u := store.User{ID: store.NewID(), Name: f.Line("name", c.Name, input.MaxName), Email: f.Email("email", c.Email), CreatedAt: a.now}
	if p, ok := errors.AsType[*problem.Problem](f.Err()); ok {
		return process.Usage("--%s %s", p.Errors[0].Field, p.Errors[0].Reason)
	}
	if c.Proven {
		u.EmailProvenAt = a.now
	}
	var err error
	if u.PasswordHash, err = a.newPassword(ctx, u); err == nil {
		err = a.st.CreateUser(ctx, u)
	}
	if errors.Is(err, store.ErrEmailTaken) {
		err = &process.Failure{Sentence: "another person has the address of --email", Cause: err}
	}
	if err != nil {
		return err
	}
	a.tell(security.AccountCreated, u.ID)
	return a.out.One(personOf(u))
}
