package describe

import (
	"net/http"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
)

// exampleToken is the token of a link in a mail.
const exampleToken = "h3q9V1x0fX2mZC1uK7b8nq5wYtR4sE6aPdGoLiJkUvM" //nolint:gosec // of nobody

// ResetPassword documents the operation.
func ResetPassword() Operation {
	return Operation{
		ID: "resetPassword", Tag: "users", Summary: "Ask for a link to set a new password",
		Description: "Sends a link to whoever has the address, which works once and for an hour, in the language of Accept-Language (en or de). " +
			"The answer and its time are the same whether anybody has it. Within 5 minutes the same address gets one mail at most.",
		Body:     wire.PasswordReset{},
		Example:  wire.PasswordReset{Email: "ada@example.org"},
		Answers:  []Answer{{Status: http.StatusAccepted, Description: "If somebody has the address, a mail is on its way."}},
		Problems: []problem.Code{problem.NoMail, problem.QuotaExceeded, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// SetNewPassword documents the operation.
func SetNewPassword() Operation {
	return Operation{
		ID: "setNewPassword", Tag: "users", Summary: "Set a new password by a link",
		Description: "The token is what follows the # in the link. All log-ins of the person end, in every process within 5 s, and so do all such links. " +
			"The address is proven by it. It logs nobody in.",
		Body:     wire.NewPassword{},
		Example:  wire.NewPassword{Token: exampleToken, Password: "correct horse battery"},
		Answers:  []Answer{{Status: http.StatusNoContent, Description: "The password was changed."}},
		Problems: []problem.Code{problem.NoMail, problem.LinkInvalid, problem.AccountLocked, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// AskForProof documents the operation.
func AskForProof() Operation {
	return Operation{
		ID: "askForProof", Tag: "users", Summary: "Ask for a link to prove an address",
		Description: "Sends a link to the address, by default that of the account, which works for 24 hours. Another address needs a log-in within the last " +
			"5 minutes; else it is 403 login_too_old. An address that another account has, and has not proven, can be taken back so. Within 5 minutes the same address gets one mail at most.",
		Body:    wire.EmailProof{},
		Example: wire.EmailProof{Email: "ada@example.org"},
		Answers: []Answer{{Status: http.StatusAccepted, Description: "The mail is on its way."}},
		Problems: []problem.Code{problem.NoMail, problem.UserNotFound, problem.LoginTooOld, problem.QuotaExceeded, problem.Overloaded, problem.StorageFull,
			problem.UnknownOutcome},
	}
}

// ProveEmail documents the operation.
func ProveEmail() Operation {
	u := wire.UserOf(exampleUser())
	u.EmailProvenAt = u.CreatedAt
	return Operation{
		ID: "proveEmail", Tag: "users", Summary: "Prove an address by a link",
		Description: "The token is what follows the # in the link; only the person who asked for it can use it. The address becomes that of the account. " +
			"Another account that has it and has not proven it loses it, with its log-ins; when that one has proven it, the answer is 409 email_taken.",
		Body:    wire.ProofToken{},
		Example: wire.ProofToken{Token: exampleToken},
		Answers: []Answer{{Status: http.StatusOK, Description: "The account as it is now.", Body: wire.User{}, Example: u}},
		Problems: []problem.Code{problem.NoMail, problem.LinkInvalid, problem.EmailTaken, problem.Overloaded, problem.StorageFull,
			problem.UnknownOutcome},
	}
}

// ShowMailSettings documents the operation.
func ShowMailSettings() Operation {
	return Operation{
		ID: "showMailSettings", Tag: "users", Summary: "See whether mails about events are switched off",
		Description: "Leads browsers to the page on which they are switched off and on. It changes nothing. The token is that of the header List-Unsubscribe.",
		Answers: []Answer{
			{Status: http.StatusOK, Description: "What they get.", Body: wire.MailSettings{}, Example: wire.MailSettings{EventMail: true}},
			{Status: http.StatusSeeOther, Description: "The page, when Accept has text/html.", Headers: []string{"Location"}},
		},
		Problems: []problem.Code{problem.NoMail, problem.LinkInvalid, problem.Overloaded},
	}
}

// StopEventMail documents the operation.
func StopEventMail() Operation {
	return Operation{
		ID: "stopEventMail", Tag: "users", Summary: "Switch mails about events off, as mail programs do",
		Description: "One click by RFC 8058; what the body says does not count. Links that the person asks for are sent all the same.",
		Answers:     []Answer{{Status: http.StatusOK, Description: "What they get now.", Body: wire.MailSettings{}, Example: wire.MailSettings{}}},
		Problems:    []problem.Code{problem.NoMail, problem.LinkInvalid, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// EditMailSettings documents the operation.
func EditMailSettings() Operation {
	return Operation{
		ID: "editMailSettings", Tag: "users", Summary: "Switch mails about events off or on",
		Description: "For whoever has the token, which is in every such mail.",
		Body:        wire.MailSettings{},
		Example:     wire.MailSettings{EventMail: true},
		Answers:     []Answer{{Status: http.StatusOK, Description: "What they get now.", Body: wire.MailSettings{}, Example: wire.MailSettings{EventMail: true}}},
		Problems:    []problem.Code{problem.NoMail, problem.LinkInvalid, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}
