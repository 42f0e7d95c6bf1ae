package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/identity"
)

// TestSecretsStayOutOfLogsAndErrors: canaries go in everywhere and come out nowhere.
func TestSecretsStayOutOfLogsAndErrors(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, testKeys(t, "k1"), rateLimited)
		const canary, next = "Canary-7Vq-horse", "Canary-8Wr-horse"
		ada := i.signUp(t, "canary.person@example.org", canary)
		event := i.organized(t, ada)
		var told []string
		tell := func(method, path, body string, options ...func(*http.Request)) {
			r := i.ask(t, method, path, body, options...)
			told = append(told, r.body)
		}
		for _, secret := range []string{canary, next} {
			tell("POST", "/api/login", logInBody(ada.email, secret))
			tell("POST", "/api/login", `{"email":`+jsonText(ada.email)+`,"password":`+jsonText(secret)) // cut
			tell("POST", "/api/login", `{"email":1,"password":`+jsonText(secret)+`}`)
			tell("POST", "/api/login?password="+secret, logInBody(ada.email, secret))
			tell("POST", "/api/users", signUpBody(ada.email, secret))
			tell("GET", event+"/registrations", "", bearer(secret), with("X-Forwarded-For", secret))
			tell("GET", event+"/registrations?token="+ada.token, "", with("Authorization", "Basic "+secret))
			tell("POST", event+"/registrations", `{"user_id":`+jsonText(secret)+`}`, bearer(ada.token))
			tell("POST", "/api/users/"+ada.id+"/password", changeBody("x"+secret, "y"+secret), bearer(ada.token))
			tell("GET", "/api/"+secret, "", cookie("eventio_token", ada.token))
		}
		i.core.Store = lostAnswer{nil} // a panic, with its stack in the log
		tell("POST", "/api/login", logInBody(ada.email, canary), from("203.0.113.1:1"))
		i.core.Store = s.st
		i.ask(t, "POST", "/api/users/"+ada.id+"/password", changeBody(canary, next), bearer(ada.token), from("203.0.113.2:1")).want(t, 204, "")

		log := s.log.text()
		for _, secret := range []string{canary, next, ada.token, ada.token[20:60], string(testSecret("k1")), "argon2id$"} {
			if strings.Contains(log, secret) {
				t.Errorf("the log tells %.12s...", secret)
			}
		}
		if strings.Contains(log, "canary.person") {
			t.Error("the log tells an e-mail address")
		}
		for _, body := range told {
			if strings.Contains(body, canary) || strings.Contains(body, next) || strings.Contains(body, "argon2") || strings.Contains(body, "goroutine") {
				t.Errorf("an answer tells %s", body)
			}
		}
		if !strings.Contains(log, "panic") {
			t.Error("nothing has panicked: the test does not look where it should")
		}
		_, err := identity.ParseKeys("k1:" + canary)
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("a bad key: %v", err)
		}
	})
}
