package wire

import (
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// NewUser is the body of a sign-up.
type NewUser struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Password string `json:"password"` // at least 8 characters, at most 256 bytes
}

// Credentials is the body of a log-in.
type Credentials struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// PasswordChange is the body that changes a password.
type PasswordChange struct {
	OldPassword string `json:"old_password"`
	NewPassword string `json:"new_password"`
}

// Session is the answer to who has signed up or logged in: the user and a token.
type Session struct {
	ID             store.ID  `json:"id"`
	Name           string    `json:"name"`
	Email          string    `json:"email"`
	CreatedAt      time.Time `json:"created_at"`
	Token          string    `json:"token"`
	TokenExpiresAt time.Time `json:"token_expires_at"`
}

// CurrentUser tells whom a token speaks for. It never has the token: a script that can read it
// could take it elsewhere.
type CurrentUser struct {
	ID        store.ID  `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is when the session ends unless it is renewed. It is only told where there is a
	// cookie.
	ExpiresAt time.Time `json:"session_expires_at,omitzero"`
}
