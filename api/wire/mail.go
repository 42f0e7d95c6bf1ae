package wire

// PasswordReset is the body that asks for a link to set a new password.
type PasswordReset struct {
	Email string `json:"email"`
}

// NewPassword is the body that sets a new password by the token of a link.
type NewPassword struct {
	Token    string `json:"token"`
	Password string `json:"password"`
}

// EmailProof is the body that asks for a link to prove an address.
type EmailProof struct {
	// Email is the address; that of the account when it is left out.
	Email string `json:"email,omitzero"`
}

// ProofToken is the body that proves an address by the token of a link.
type ProofToken struct {
	Token string `json:"token"`
}

// MailSettings say what somebody wants of mail.
type MailSettings struct {
	// EventMail is whether they get mails about their events.
	EventMail bool `json:"event_mail"`
}
