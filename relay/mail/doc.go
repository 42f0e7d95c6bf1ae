// Package mail tells people by mail what happened to them: that they have a seat, wait, moved up or are
// out, that an event is changed or cancelled; and it sends the links that they ask for, to set a new
// password or to prove an address.
//
//   - [Sink] reads the record of changes and stores a mail for each person whom a change is about.
//   - [Sender] takes stored mails, those of the API too, and hands them to an SMTP server.
//
// # Guarantees
//
// A mail is stored under a key made from its change before the reader's position moves on, so however
// often a process dies, a person is told of each change, and the mail is stored once. The sender claims
// a mail, hands it over, and notes that.
//
// SMTP cannot promise more than at least once. A mail is handed over a second time in these cases only:
//   - the process dies, or the store cannot be written to, after the server has taken the mail (its 250
//     after the text) and before that is noted;
//   - the server takes the mail, and its 250 is lost on the way or comes after the time limit;
//   - a process stops for longer than a claim lasts while it sends, or the clocks of two processes differ
//     by more than claimFor less sendLimit.
//
// Both copies have the same Message-ID, by which mail servers and programs drop doubles. What becomes of
// a mail behind the server is the server's matter.
//
// A mail is given up, and the log told, when the server refuses its address or text for good (5xx), or
// when it has expired. Everything else is tried again, with growing pauses. No mail waits for another.
package mail
