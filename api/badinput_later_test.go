package api_test

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	theRegistration       = theRoster + "/" + someID
	theUsersRegistrations = users + "/" + someID + "/registrations"
	hooks                 = "/api/webhooks"
	keysPath              = "/api/keys"
	theHook               = hooks + "/" + someID
	thePassword           = users + "/" + someID + "/password"
)

func badEdit(name, body, field string) badInput {
	return badInput{"edit/" + name, "PATCH", theEvent, body, []string{"If-Match", "*"}, 400, invalid, field}
}

func badChange(name, body, field string) badInput {
	return badInput{"password_change/" + name, "POST", thePassword, body, nil, 400, invalid, field}
}

func badGuests(name, query, field string) badInput {
	return badInput{"attendees/" + name, "GET", theEvent + "/attendees?" + query, "", nil, 400, invalid, field}
}

// laterBadInputs are about what the original does not have.
var laterBadInputs = []badInput{
	badEvent("empty", "registration_opens_at", `""`),
	badEvent("no_time", "registration_closes_at", `"never"`),
	badEvent("after_the_end", "registration_opens_at", `"2027-05-01T20:00:00.001Z"`),
	badEvent("at_the_end", "registration_opens_at", `"2027-05-01T20:00:00Z"`),
	badEvent("not_true", "waitlist", `"true"`),
	badEvent("nowhere", "time_zone", `"Europe/Atlantis"`),
	badEvent("the_machine's_own", "time_zone", `"Local"`),
	badEvent("a_folder_with_leap_seconds", "time_zone", `"right/UTC"`),
	badEvent("a_folder_without", "time_zone", `"posix/Europe/Berlin"`),
	badEvent("the_machine's_rules", "time_zone", `"posixrules"`),
	badEvent("the_machine's_file", "time_zone", `"localtime"`),
	badEvent("nobody's", "time_zone", `"Factory"`),
	badEvent("in_another_case", "time_zone", `"europe/berlin"`),
	badEvent("an_offset", "time_zone", `"+02:00"`),
	badEvent("blank", "place", `" "`),
	badEvent("empty", "organizer_id", `""`),

	badEdit("empty_body", "", "body"),
	badEdit("array", "[]", "body"),
	badEdit("unknown_field", `{"seats":0}`, "seats"),
	badEdit("field_in_another_case", `{"Title":"x"}`, "Title"),
	badEdit("id_of_another", `{"id":"`+someID+`"}`, "id"),
	badEdit("organizer_of_another", `{"organizer_id":"`+newUser()+`"}`, "organizer_id"),
	badEdit("read_only_of_another_type", `{"tickets_sold":"1"}`, "tickets_sold"),
	badEdit("several_read_only", `{"cancelled_at":"2027-01-01T00:00:00Z","created_at":null,"id":"`+newUser()+`"}`, "cancelled_at,created_at,id"),
	badEdit("opens_when_it_ends", `{"registration_opens_at":"2027-05-01T20:00:00Z"}`, "registration_opens_at"),
	badEdit("title_null", `{"title":null}`, "title"),
	badEdit("title_blank", `{"title":" "}`, "title"),
	badEdit("capacity_null", `{"capacity":null}`, "capacity"),
	badEdit("capacity_0", `{"capacity":0}`, "capacity"),
	badEdit("capacity_as_text", `{"capacity":"9"}`, "capacity"),
	badEdit("start_null", `{"starts_at":null}`, "starts_at"),
	badEdit("end_before_the_start", `{"ends_at":"2000-01-01T00:00:00Z"}`, "ends_at"),
	badEdit("opens_empty", `{"registration_opens_at":""}`, "registration_opens_at"),
	badEdit("closes_before_it_opens", `{"registration_opens_at":"2027-04-02T00:00:00Z","registration_closes_at":"2027-04-01T00:00:00Z"}`, "registration_closes_at"),
	badEdit("zone_of_the_machine", `{"time_zone":"right/UTC"}`, "time_zone"),
	badEdit("waitlist_1", `{"waitlist":1}`, "waitlist"),
	{"edit/without_a_match", "PATCH", theEvent, `{"capacity":9}`, nil, 428, "precondition_required", ""},
	{"edit/an_empty_match", "PATCH", theEvent, `{"capacity":9}`, []string{"If-Match", ""}, 412, "version_mismatch", ""},
	{"edit/a_match_without_quotes", "PATCH", theEvent, `{"capacity":9}`, []string{"If-Match", "1.1"}, 412, "version_mismatch", ""},
	{"edit/a_match_of_no_number", "PATCH", theEvent, `{"capacity":9}`, []string{"If-Match", `"a.b"`}, 412, "version_mismatch", ""},
	{"edit/two_matches", "PATCH", theEvent, `{"capacity":9}`, []string{"If-Match", `"7.1"`, "If-Match", `"8.2"`}, 412, "version_mismatch", ""},
	{"edit/form", "PATCH", theEvent, `capacity=9`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, badMediaType, ""},
	{"edit/unknown_event", "PATCH", events + "/" + someID, `{"capacity":9}`, []string{"If-Match", "*"}, 404, noEvent, ""},
	// What is malformed comes before what is not there.
	{"edit/malformed_of_an_unknown_event", "PATCH", events + "/" + someID, `{"capacity":`, []string{"If-Match", "*"}, 400, invalid, "body"},

	{"cancel/body", "POST", theEvent + "/cancel", `{"reason":"rain"}`, nil, 400, invalid, "body"},
	{"cancel/body_for_an_unknown_event", "POST", events + "/" + someID + "/cancel", `[]`, nil, 400, invalid, "body"},
	{"cancel/unknown_event", "POST", events + "/" + someID + "/cancel", "", nil, 404, noEvent, ""},
	{"cancel/star", "POST", events + "/*/cancel", "", nil, 400, invalid, "id"},

	{"registration/put_with_a_body", "PUT", theRegistration, `{"user_id":"` + someID + `"}`, nil, 400, invalid, "body"},
	{"registration/put_if_match", "PUT", theRegistration, "", []string{"If-Match", `W/"1.confirmed"`}, 400, invalid, "If-Match"},
	{"registration/put_if_none_match", "PUT", theRegistration, "", []string{"If-None-Match", "*"}, 400, invalid, "If-None-Match"},
	{"registration/delete_if_none_match", "DELETE", theRegistration, "", []string{"If-None-Match", "*"}, 400, invalid, "If-None-Match"},
	{"registration/delete_an_empty_match", "DELETE", theRegistration, "", []string{"If-Match", ""}, 412, "registration_changed", ""},
	{"registration/delete_a_match_without_quotes", "DELETE", theRegistration, "", []string{"If-Match", "1.confirmed"}, 412, "registration_changed", ""},
	{"registration/delete_a_match_of_no_number", "DELETE", theRegistration, "", []string{"If-Match", `"a.confirmed"`}, 412, "registration_changed", ""},
	{"registration/delete_a_match_of_number_0", "DELETE", theRegistration, "", []string{"If-Match", `"0.confirmed"`}, 412, "registration_changed", ""},
	{"registration/delete_a_match_too_large", "DELETE", theRegistration, "", []string{"If-Match", `"9223372036854775808.confirmed"`}, 412, "registration_changed", ""},
	{"registration/delete_a_list_of_matches", "DELETE", theRegistration, "", []string{"If-Match", `"1.confirmed", "2.confirmed"`}, 412, "registration_changed", ""},
	{"registration/delete_two_matches", "DELETE", theRegistration, "", []string{"If-Match", `"1.confirmed"`, "If-Match", `"2.confirmed"`}, 412, "registration_changed", ""},
	{"registration/delete_of_who_has_none", "DELETE", theRegistration, "", []string{"If-Match", `W/"1.confirmed"`}, 412, "registration_changed", ""},
	{"registration/put_star", "PUT", theRoster + "/*", "", nil, 400, invalid, "user_id"},
	{"registration/put_zero", "PUT", theRoster + "/" + strings.Repeat("0", 24), "", nil, 400, invalid, "user_id"},
	{"registration/put_two_keys", "PUT", theRegistration, "", []string{key, "a", key, "b"}, 400, invalid, key},
	{"registration/get_star", "GET", theRoster + "/*", "", nil, 400, invalid, "user_id"},
	{"registration/get_nobody's", "GET", theRegistration, "", nil, 404, "registration_not_found", ""},
	{"registration/delete_with_a_body", "DELETE", theRegistration, `{"a":{}}`, nil, 400, invalid, "body"},
	{"registration/delete_star", "DELETE", theRoster + "/*", "", nil, 400, invalid, "user_id"},
	{"registration/delete_unknown_event", "DELETE", events + "/" + someID + "/registrations/" + someID, "", nil, 404, noEvent, ""},

	{"attendees/star", "GET", events + "/*/attendees", "", nil, 400, invalid, "id"},
	{"attendees/unknown_event", "GET", events + "/" + someID + "/attendees", "", nil, 404, noEvent, ""},
	{"attendees/malformed_of_an_unknown_event", "GET", events + "/" + someID + "/attendees?limit=0", "", nil, 400, invalid, "limit"},
	badGuests("limit_1001", "limit=1001", "limit"),
	badGuests("cursor_invented", "limit=5&cursor="+strings.Repeat("A", 48), "cursor"),
	badGuests("status", "status=cancelled", "status"),
	badGuests("sort", "limit=5&sort=email", "sort"),
	badGuests("sort_of_the_whole_list", "sort=name", "sort"),
	badGuests("sort_of_a_file", "sort=registered_at&format=csv", "sort"),
	badGuests("blank_search", "limit=5&q=%20", "q"),
	badGuests("search_of_the_whole_list", "q=ada", "q"),
	badGuests("search_of_eleven_words", "limit=5&q=a+b+c+d+e+f+g+h+i+j+k", "q"),
	badGuests("page_of_a_file", "limit=5&format=csv", "limit"),
	badGuests("format", "format=xlsx", "format"),
	badGuests("mark_without_a_file", "bom=true", "bom"),
	badGuests("mark_yes", "format=csv&bom=yes", "bom"),
	badGuests("separator", "format=csv&separator=;", "query"),
	badGuests("separator_tab", "format=csv&separator=tab", "separator"),
	badGuests("separator_without_a_file", "separator=comma", "separator"),
	badGuests("unknown_parameter", "order=name", "order"),

	{"users_registrations/of_star", "GET", users + "/*/registrations", "", nil, 400, invalid, "user_id"},
	{"users_registrations/when", "GET", theUsersRegistrations + "?when=now", "", nil, 400, invalid, "when"},
	{"users_registrations/limit_0", "GET", theUsersRegistrations + "?limit=0", "", nil, 400, invalid, "limit"},

	{"changes/of_star", "GET", events + "/*/changes", "", nil, 400, invalid, "id"},
	{"changes/of_no_event", "GET", events + "/" + someID + "/changes", "", nil, 404, noEvent, ""},
	{"changes/after_a_minus", "GET", theEvent + "/changes?after=-1", "", nil, 400, invalid, "after"},
	{"changes/after_a_text", "GET", theEvent + "/changes?after=latest", "", nil, 400, invalid, "after"},
	{"changes/after_the_future", "GET", theEvent + "/changes?after=9223372036854775807", "", nil, 400, invalid, "after"},
	{"changes/after_twice", "GET", theEvent + "/changes?after=1&after=2", "", nil, 400, invalid, "after"},
	{"changes/wait_a_minute", "GET", theEvent + "/changes?wait=1m", "", nil, 400, invalid, "wait"},
	{"changes/wait_51_seconds", "GET", theEvent + "/changes?wait=51s", "", nil, 400, invalid, "wait"},
	{"changes/limit_1001", "GET", theEvent + "/changes?limit=1001", "", nil, 400, invalid, "limit"},
	{"pace/of_star", "GET", events + "/*/pace", "", nil, 400, invalid, "id"},
	{"pace/of_no_event", "GET", events + "/" + someID + "/pace", "", nil, 404, noEvent, ""},
	{"pace/of_no_minutes", "GET", theEvent + "/pace?minutes=0", "", nil, 400, invalid, "minutes"},
	{"pace/of_181_minutes", "GET", theEvent + "/pace?minutes=181", "", nil, 400, invalid, "minutes"},
	{"pace/minutes_with_a_unit", "GET", theEvent + "/pace?minutes=5m", "", nil, 400, invalid, "minutes"},
	{"pace/minutes_twice", "GET", theEvent + "/pace?minutes=5&minutes=6", "", nil, 400, invalid, "minutes"},
	{"pace/hours", "GET", theEvent + "/pace?hours=1", "", nil, 400, invalid, "hours"},
	{"users_changes/of_star", "GET", users + "/*/changes", "", nil, 400, invalid, "user_id"},
	{"users_changes/wait", "GET", users + "/" + someID + "/changes?wait=1s", "", nil, 400, invalid, "wait"},
	{"live/of_star", "GET", events + "/*/live", "", nil, 400, invalid, "id"},
	{"live/of_no_event", "GET", events + "/" + someID + "/live", "", nil, 404, noEvent, ""},
	{"live/a_parameter", "GET", theEvent + "/live?after=1", "", nil, 400, invalid, "after"},
	{"users_live/of_star", "GET", users + "/*/live", "", nil, 400, invalid, "user_id"},
	{"users_live/a_parameter", "GET", users + "/" + someID + "/live?event=x", "", nil, 400, invalid, "event"},
	{"users_changes/cursor", "GET", users + "/" + someID + "/changes?cursor=x", "", nil, 400, invalid, "cursor"},

	badChange("empty_body", "", "body"),
	badChange("all_missing", "{}", "old_password,new_password"),
	badChange("unknown_field", `{"old_password":"a","new_password":"correct horse","user_id":"x"}`, "user_id"),
	badChange("new_one_of_7_characters", `{"old_password":"a","new_password":"äöüßäöü"}`, "new_password"),
	badChange("null", `{"old_password":null,"new_password":"correct horse"}`, "old_password"),
	{"password_change/of_nobody", "POST", thePassword, `{"old_password":"a","new_password":"correct horse"}`, nil, 404, "user_not_found", ""},

	{"account/of_nobody", "GET", users + "/" + someID, "", nil, 404, "user_not_found", ""},
	{"account/of_star", "GET", users + "/*", "", nil, 400, invalid, "user_id"},
	{"account/edit_type", "PATCH", users + "/" + someID, `{"name":1}`, nil, 400, invalid, "name"},
	{"account/edit_empty", "PATCH", users + "/" + someID, "", nil, 400, invalid, "body"},
	{"account/edit_of_nobody", "PATCH", users + "/" + someID, `{"name":"x"}`, nil, 404, "user_not_found", ""},
	{"account/edit_form", "PATCH", users + "/" + someID, `name=x`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, badMediaType, ""},
	{"account/delete_without_a_proof", "DELETE", users + "/" + someID, "", nil, 403, "login_too_old", ""},
	{"account/delete_with_a_body", "DELETE", users + "/" + someID, `{"a":1}`, nil, 400, invalid, "body"},
	{"account/export_of_nobody", "GET", users + "/" + someID + "/export", "", nil, 404, "user_not_found", ""},
	{"account/export_limit", "GET", users + "/" + someID + "/export?limit=1", "", nil, 400, invalid, "limit"},
	{"account/sessions_of_nobody", "GET", users + "/" + someID + "/sessions", "", nil, 404, "user_not_found", ""},
	{"account/end_sessions_of_nobody", "DELETE", users + "/" + someID + "/sessions", "", nil, 404, "user_not_found", ""},
	{"key/empty_body", "POST", keysPath, "", nil, 400, invalid, "body"},
	{"key/no_name", "POST", keysPath, `{"scopes":["read"]}`, nil, 400, invalid, "name"},
	{"key/no_scopes", "POST", keysPath, `{"name":"shop"}`, nil, 400, invalid, "scopes"},
	{"key/unknown_scope", "POST", keysPath, `{"name":"shop","scopes":["read","account"]}`, nil, 400, invalid, "scopes"},
	{"key/scopes_in_a_text", "POST", keysPath, `{"name":"shop","scopes":"read"}`, nil, 400, invalid, "scopes"},
	{"key/that_has_ended", "POST", keysPath, `{"name":"shop","scopes":["read"],"expires_at":"2020-01-01T00:00:00Z"}`, nil, 400, invalid, "expires_at"},
	{"key/that_never_ends", "POST", keysPath, `{"name":"shop","scopes":["read"],"expires_at":"2999-01-01T00:00:00Z"}`, nil, 400, invalid, "expires_at"},
	{"key/unknown_field", "POST", keysPath, `{"name":"shop","scopes":["read"],"owner_id":"` + someID + `"}`, nil, 400, invalid, "owner_id"},
	{"key/without_a_proof", "POST", keysPath, `{"name":"shop","scopes":["read"]}`, nil, 403, "login_too_old", ""},
	{"key/list_of_nobody", "GET", keysPath, "", nil, 401, "unauthenticated", ""},
	{"key/end_of_nobody", "DELETE", keysPath + "/" + someID, "", nil, 401, "unauthenticated", ""},
	{"key/end_star", "DELETE", keysPath + "/*", "", nil, 400, invalid, "key_id"},
	{"account/end_star", "DELETE", users + "/" + someID + "/sessions/*", "", nil, 400, invalid, "session_id"},

	{"webhook/empty_body", "POST", hooks, "", nil, 400, invalid, "body"},
	{"webhook/no_url", "POST", hooks, `{"owner_id":"` + someID + `"}`, nil, 400, invalid, "url"},
	{"webhook/of_nobody", "POST", hooks, `{"url":"https://example.org/"}`, nil, 400, invalid, "owner_id,url"},
	{"webhook/list_of_star", "GET", hooks + "?owner_id=*", "", nil, 400, invalid, "owner_id"},
	{"webhook/list_limit", "GET", hooks + "?limit=1", "", nil, 400, invalid, "limit"},
	{"webhook/read_nobody's", "GET", theHook, "", nil, 404, "webhook_not_found", ""},
	{"webhook/read_star", "GET", hooks + "/*", "", nil, 400, invalid, "webhook_id"},
	{"webhook/edit_nobody's", "PATCH", theHook, `{"active":true}`, nil, 404, "webhook_not_found", ""},
	{"webhook/delete_nobody's", "DELETE", theHook, "", nil, 404, "webhook_not_found", ""},
	{"webhook/delete_with_a_body", "DELETE", theHook, `{"a":1}`, nil, 400, invalid, "body"},
	{"webhook/secret_with_a_body", "POST", theHook + "/secret", `{"secret":"mine"}`, nil, 400, invalid, "body"},
	{"webhook/secret_of_nobody's", "POST", theHook + "/secret", "", nil, 404, "webhook_not_found", ""},
	{"webhook/calls_of_nobody's", "GET", theHook + "/calls", "", nil, 404, "webhook_not_found", ""},
	{"webhook/test_of_nobody's", "POST", theHook + "/test", "", nil, 404, "webhook_not_found", ""},
	{"webhook/replay_since_nothing", "POST", theHook + "/replay", "", nil, 400, invalid, "since"},
	{"webhook/replay_since_yesterday", "POST", theHook + "/replay?since=yesterday", "", nil, 400, invalid, "since"},
	{"webhook/replay_of_the_future", "POST", theHook + "/replay?since=2999-01-01T00:00:00Z", "", nil, 400, invalid, "since"},
	{"webhook/replay_of_nobody's", "POST", theHook + "/replay?since=2026-01-01T00:00:00Z", "", nil, 404, "webhook_not_found", ""},
	{"mail/reset_without_an_address", "POST", "/api/password-resets", `{}`, nil, 400, invalid, "email"},
	{"mail/reset_of_no_address", "POST", "/api/password-resets", `{"email":"nobody"}`, nil, 400, invalid, "email"},
	{"mail/reset_of_two_lines", "POST", "/api/password-resets", `{"email":"a@example.org\r\nBcc: b@example.org"}`, nil, 400, invalid, "email"},
	{"mail/reset_of_two_addresses", "POST", "/api/password-resets", `{"email":"a@example.org, b@example.org"}`, nil, 400, invalid, "email"},
	{"mail/reset_of_a_list", "POST", "/api/password-resets", `{"email":["a@example.org"]}`, nil, 400, invalid, "email"},
	{"mail/reset_form", "POST", "/api/password-resets", `<a/>`, []string{"Content-Type", "text/xml"}, 415, badMediaType, ""},
	{"mail/password_without_a_token", "POST", "/api/password-resets/confirm", `{"password":"correct horse battery"}`, nil, 400, invalid, "token"},
	{"mail/password_with_a_short_token", "POST", "/api/password-resets/confirm", `{"token":"x","password":"short"}`, nil, 400, invalid, "token,password"},
	{"mail/password_with_a_strange_token", "POST", "/api/password-resets/confirm", `{"token":"` + strings.Repeat("/", 43) + `","password":"correct horse battery"}`, nil, 400, invalid, "token"},
	{"mail/password_with_nobodys_token", "POST", "/api/password-resets/confirm", `{"token":"` + strings.Repeat("A", 43) + `","password":"correct horse battery"}`, nil, 410, "link_invalid", ""},
	{"mail/proof_of_no_address", "POST", users + "/" + someID + "/email-proof", `{"email":"nobody"}`, nil, 400, invalid, "email"},
	{"mail/proof_of_an_address_that_is_no_text", "POST", users + "/" + someID + "/email-proof", `{"email":1}`, nil, 400, invalid, "email"},
	{"mail/proof_of_nobody", "POST", users + "/" + someID + "/email-proof", `{}`, nil, 404, "user_not_found", ""},
	{"mail/proof_of_no_id", "POST", users + "/x/email-proof", `{}`, nil, 400, invalid, "user_id"},
	{"mail/proof_without_a_token", "POST", users + "/" + someID + "/email-proof/confirm", `{}`, nil, 400, invalid, "token"},
	{"mail/proof_with_nobodys_token", "POST", users + "/" + someID + "/email-proof/confirm", `{"token":"` + strings.Repeat("A", 43) + `"}`, nil, 410, "link_invalid", ""},
	{"mail/settings_of_nobody", "GET", "/api/mail-settings/" + strings.Repeat("A", 43), "", nil, 410, "link_invalid", ""},
	{"mail/settings_of_no_token", "GET", "/api/mail-settings/x", "", nil, 410, "link_invalid", ""},
	{"mail/one_click_of_nobody", "POST", "/api/mail-settings/" + strings.Repeat("A", 43), "List-Unsubscribe=One-Click", []string{"Content-Type", "application/x-www-form-urlencoded"}, 410, "link_invalid", ""},
	{"mail/edit_of_nobody", "PUT", "/api/mail-settings/" + strings.Repeat("A", 43), `{"event_mail":true}`, nil, 410, "link_invalid", ""},
	{"mail/edit_that_is_none", "PUT", "/api/mail-settings/" + strings.Repeat("A", 43), `{"event_mail":"no"}`, nil, 400, invalid, "event_mail"},

	{"query/of_a_sign_up", "POST", users + "?x=1", userBody(), nil, 400, invalid, "x"},
	{"query/of_the_list", "GET", events + "?x=1", "", nil, 400, invalid, "x"},
	{"query/of_a_log_out", "POST", "/api/logout?x=1", "", nil, 400, invalid, "x"},
	{"query/of_the_session", "GET", "/api/session?x=1", "", nil, 400, invalid, "x"},
	{"query/of_livez", "GET", "/livez?x=1", "", nil, 400, invalid, "x"},
	{"query/of_readyz", "GET", "/readyz?x=1", "", nil, 400, invalid, "x"},
	{"query/of_the_document", "GET", "/openapi.json?x=1", "", nil, 400, invalid, "x"},
	{"query/of_the_docs", "GET", "/docs?x=1", "", nil, 400, invalid, "x"},
	{"query/of_the_style", "GET", "/docs/docs.css?x=1", "", nil, 400, invalid, "x"},
}

// TestEveryRouteHasBadInput: a route without a row that reaches it fails.
func TestEveryRouteHasBadInput(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		var document struct {
			Paths map[string]map[string]json.RawMessage
		}
		if err := json.Unmarshal(e.get(t, "/openapi.json").body, &document); err != nil {
			t.Fatal(err)
		}
		for pattern, operations := range document.Paths {
			for method := range operations {
				reached := false
				for _, row := range badInputs {
					path, _, _ := strings.Cut(row.path, "?")
					reached = reached || strings.EqualFold(row.method, method) && row.status != 405 && leadsTo(path, pattern)
				}
				if !reached {
					t.Errorf("no row is about %s %s", method, pattern)
				}
			}
		}
	})
}

// leadsTo reports whether a path is one of a pattern.
func leadsTo(path, pattern string) bool {
	parts, want := strings.Split(path, "/"), strings.Split(pattern, "/")
	for i := range want {
		if len(parts) != len(want) || !strings.HasPrefix(want[i], "{") && parts[i] != want[i] {
			return false
		}
	}
	return true
}
