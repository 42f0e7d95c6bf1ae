package setup

import "testing"

// TestPublicURLIsASCII: links in mails are in headers too, which a server without SMTPUTF8 takes in ASCII only.
func TestPublicURLIsASCII(t *testing.T) {
	for typed, want := range map[string]string{
		"https://bücher.example/":           "https://xn--bcher-kva.example",
		"https://bücher.example:8443/tür":   "https://xn--bcher-kva.example:8443/t%C3%BCr",
		"https://events.example.org:8443/a": "https://events.example.org:8443/a",
		"https://192.0.2.1":                 "https://192.0.2.1",
		"http://[::1]:8080":                 "http://[::1]:8080",
		"http://localhost:8080":             "http://localhost:8080",
	} {
		_, site, err := Mail{SMTPURL: "smtp://localhost", MailFrom: "a@example.org", PublicURL: typed}.server()
		if err != nil || site.PublicURL != want {
			t.Errorf("%s becomes %s, %v, want %s", typed, site.PublicURL, err, want)
		}
	}
}
