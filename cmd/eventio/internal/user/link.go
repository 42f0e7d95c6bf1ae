package user

import (
	"context"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// link has the flags of eventio user link and unlink.
type link struct {
	Who
	Issuer  string `help:"The issuer, as it stands in iss and in --oidc-issuer."`
	Subject string `help:"Who it is at the issuer, as it stands in sub."`
	Header  string `help:"Instead of these: who it is for the gateway, as it stands in the header of --identity-header."`
}

// id returns the id of whom the flags name.
func (c link) id() (store.ID, error) {
	switch {
	case c.Header != "" && c.Issuer == "" && c.Subject == "":
		return foreign.ID(foreign.Gateway, c.Header), nil
	case c.Header == "" && c.Issuer != "" && c.Subject != "":
		return foreign.ID(c.Issuer, c.Subject), nil
	}
	return store.ID{}, process.Usage("--issuer and --subject must be given, or --header instead")
}

// link has whom an issuer or a gateway names count as a person of ours. Who is linked with somebody else
// already is not taken from them.
func (a actions) link(ctx context.Context, c link) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	u, err := a.find(ctx, c.Who)
	if err != nil {
		return err
	}
	if foreign.Is(u.ID) {
		return process.Usage("%s is no account of Event.io's own: link them with one", process.Quote(c.Who.Who))
	}
	for l, err := range a.st.IdentityLinks(ctx, a.now.AddDate(-1000, 0, 0)) {
		if err != nil {
			return err
		}
		if l.ID == id && !l.UserID.IsZero() && l.UserID != u.ID {
			return process.Usage("they are linked with the user %s: eventio user unlink them there first", l.UserID.Hex())
		}
	}
	if err := a.st.LinkIdentity(ctx, foreign.Link{ID: id, UserID: u.ID, ChangedAt: a.now}); err != nil {
		return err
	}
	a.tell(security.IdentityLinked, u.ID)
	return a.show(ctx, c.Who)
}

// unlink has them count as a person of their own again.
func (a actions) unlink(ctx context.Context, c link) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	u, err := a.find(ctx, c.Who)
	if err != nil {
		return err
	}
	linked, err := a.st.LinksOf(ctx, u.ID)
	if err != nil {
		return err
	}
	for _, l := range linked {
		if l != id {
			continue
		}
		if err := a.st.LinkIdentity(ctx, foreign.Link{ID: id, ChangedAt: a.now}); err != nil {
			return err
		}
		a.tell(security.IdentityUnlinked, u.ID)
		return a.show(ctx, c.Who)
	}
	return process.Usage("they are not linked with the user %s", u.ID.Hex())
}
