package gate

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/problem"
)

// TestWindows: as many requests as the rate says in each window, which begins with the client's first
// one; and the time in Retry-After is the one in RateLimit, and true.
func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounter("logins", Rate{3, time.Minute})
		pass := func(key string) (limited bool, wait time.Duration, h http.Header) {
			w := httptest.NewRecorder()
			err := c.pass(w, key, 1, 1)
			if err == nil {
				return false, 0, w.Header()
			}
			if code(t, err) != problem.RateLimited {
				t.Fatal(err)
			}
			refuse(err).ServeHTTP(w, nil)
			seconds, err := strconv.Atoi(w.Header().Get("Retry-After"))
			if err != nil {
				t.Fatal(err)
			}
			return true, time.Duration(seconds) * time.Second, w.Header()
		}
		for round := range 4 {
			time.Sleep(time.Duration(round) * 7 * time.Second)
			for n := range 3 {
				limited, _, h := pass("ada")
				if limited {
					t.Fatalf("round %d: refused at %d", round, n)
				}
				if want := `"logins";r=` + strconv.Itoa(2-n) + `;t=` + strconv.Itoa(60-5*n); h.Get("RateLimit") != want || h.Get("RateLimit-Policy") != `"logins";q=3;w=60` {
					t.Fatalf("round %d: the headers are %v, want %s", round, h, want)
				}
				time.Sleep(5 * time.Second)
			}
			time.Sleep(300 * time.Millisecond)
			limited, wait, h := pass("ada")
			if !limited || wait != 45*time.Second || h.Get("RateLimit") != `"logins";r=0;t=45` {
				t.Fatalf("round %d: limited %v, wait %v, %v", round, limited, wait, h)
			}
			time.Sleep(wait - time.Second)
			if limited, wait, _ := pass("ada"); !limited || wait != time.Second {
				t.Fatalf("round %d: a second before, limited %v, wait %v", round, limited, wait)
			}
			if limited, _, _ := pass("bob " + strconv.Itoa(round)); limited {
				t.Fatal("somebody else is limited")
			}
			time.Sleep(time.Second)
		}
	})
}

// TestManyClients: a counter forgets the earlier ones rather than grow without end.
func TestManyClients(t *testing.T) {
	c := newCounter("requests", Rate{1, time.Hour})
	now := time.Now()
	for n := range 3*maxKeys + 5 {
		if _, _, ok := c.take(strconv.Itoa(n), 1, 1, now); !ok {
			t.Fatalf("client %d is refused", n)
		}
		if kept := len(c.young) + len(c.old); kept > 2*maxKeys {
			t.Fatalf("%d clients are kept", kept)
		}
	}
	if _, _, ok := c.take(strconv.Itoa(3*maxKeys-1), 1, 1, now); ok {
		t.Error("a late client is forgotten")
	}
}

// TestAMillionAddresses: they cost a counter what docs/operations.md says at most.
func TestAMillionAddresses(t *testing.T) {
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, now := held(), time.Now()
	c := newCounter("requests", Rate{1, time.Hour})
	for n := range 1_000_000 {
		c.take(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}).String(), 1, 1, now)
	}
	const most = 24 << 20 // the addresses themselves, too, which the guide leaves out
	grown := held() - before
	t.Logf("a million addresses take %d KiB", grown>>10)
	if grown > most || len(c.young) == 0 {
		t.Errorf("that is more than %d KiB, or nobody is kept", most>>10)
	}
}

// TestEndedWindowsAreForgotten: a counter keeps nobody whose window has ended for longer than another one.
func TestEndedWindowsAreForgotten(t *testing.T) {
	c := newCounter("requests", Rate{1, time.Minute})
	now := c.turned
	for n := range 100 {
		c.take(strconv.Itoa(n), 1, 1, now)
	}
	c.take("later", 1, 1, now.Add(time.Minute))
	c.take("last", 1, 1, now.Add(2*time.Minute))
	if len(c.young) != 1 || len(c.old) != 1 {
		t.Errorf("%d and %d clients are kept", len(c.young), len(c.old))
	}
}

// TestTwoLimitsOnOneAnswer: both are told, on one line each.
func TestTwoLimitsOnOneAnswer(t *testing.T) {
	g := New(Config{Mode: Token, RateLimits: true}, zerolog.Nop())
	w := httptest.NewRecorder()
	if _, err := g.Admit(w, request(), Anybody, PasswordsPerAddress); err != nil {
		t.Fatal(err)
	}
	if err := g.CountAccount(w, request(), "ada"); err != nil {
		t.Fatal(err)
	}
	h := w.Header()
	if h.Get("RateLimit") != `"logins";r=59;t=60, "account";r=9;t=60` || h.Get("RateLimit-Policy") != `"logins";q=60;w=60, "account";q=10;w=60` || len(h.Values("RateLimit")) != 1 {
		t.Errorf("the headers are %v", h)
	}
}

// TestCrowds: from an address of a known network come more requests, and no more for one account.
func TestCrowds(t *testing.T) {
	rates := Rates{Requests: Rate{2, time.Minute}, Passwords: Rate{3, time.Minute}, PasswordsPerAccount: Rate{2, time.Minute}}
	school := Crowds{Networks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32")}, Factor: 5}
	g := New(Config{Mode: Token, RateLimits: true, Rates: rates, Crowds: school, TrustedProxies: tenNetwork}, zerolog.Nop())
	for name, c := range map[string]struct {
		client []func(*http.Request)
		factor int
	}{
		"a school":                {[]func(*http.Request){from("198.51.100.7:1")}, 5},
		"its IPv6":                {[]func(*http.Request){from("[2001:db8:1::1]:1")}, 5},
		"behind a proxy":          {[]func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", "198.51.100.8")}, 5},
		"elsewhere":               {[]func(*http.Request){from("203.0.113.9:1")}, 1},
		"elsewhere, says so":      {[]func(*http.Request){from("203.0.113.10:1"), with("X-Forwarded-For", "198.51.100.9")}, 1},
		"nobody knows":            {[]func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", "unknown")}, 1},
		"no address, like a pipe": {[]func(*http.Request){from("pipe")}, 1},
	} {
		for limit, most := range map[Limit]int{RequestsPerAddress: rates.Requests.Most, PasswordsPerAddress: rates.Passwords.Most} {
			passed := 0
			for ; passed < 100; passed++ {
				w := httptest.NewRecorder()
				if _, err := g.Admit(w, request(c.client...), Anybody, limit); err != nil {
					break
				}
				if want := ";q=" + strconv.Itoa(most*c.factor) + ";"; !strings.Contains(w.Header().Get("RateLimit-Policy"), want) {
					t.Errorf("%s: the policy is %v", name, w.Header())
				}
			}
			if passed != most*c.factor {
				t.Errorf("%s, limit %d: %d passed, want %d", name, limit, passed, most*c.factor)
			}
		}
		passed := 0
		for ; passed < 100 && g.CountAccount(httptest.NewRecorder(), request(c.client...), "ada") == nil; passed++ {
		}
		if passed != rates.PasswordsPerAccount.Most {
			t.Errorf("%s: %d passwords for one account", name, passed)
		}
	}
}

// TestOneLimitCanBeOff: while the others hold.
func TestOneLimitCanBeOff(t *testing.T) {
	g := New(Config{Mode: Token, RateLimits: true, Rates: Rates{Passwords: Rate{1, time.Minute}}}, zerolog.Nop())
	for range 100 {
		w := httptest.NewRecorder()
		if _, err := g.Admit(w, request(), Anybody, RequestsPerAddress); err != nil || w.Header().Get("RateLimit") != "" {
			t.Fatalf("%v, %v", err, w.Header())
		}
	}
	for n := range 2 {
		if _, err := g.Admit(httptest.NewRecorder(), request(), Anybody, PasswordsPerAddress); (err != nil) != (n == 1) {
			t.Errorf("request %d: %v", n, err)
		}
	}
}

// TestCharge: a request that costs more counts as more, once in each header, and one above all that
// there is uses it up.
func TestCharge(t *testing.T) {
	g := New(Config{Mode: Token, RateLimits: true, Rates: Rates{Requests: Rate{10, time.Minute}}}, zerolog.Nop())
	ask := func(more int, options ...func(*http.Request)) (limited bool, h http.Header) {
		w := httptest.NewRecorder()
		_, err := g.Admit(w, request(options...), Anybody, RequestsPerAddress)
		if err == nil {
			err = g.Charge(w, request(options...), RequestsPerAddress, Caller{}, more)
		}
		return code(t, err) == problem.RateLimited, w.Header()
	}
	if limited, h := ask(6); limited || h.Get("RateLimit") != `"requests";r=3;t=60` || h.Get("RateLimit-Policy") != `"requests";q=10;w=60` {
		t.Errorf("the first: limited %v, %v", limited, h)
	}
	if limited, h := ask(6); !limited || h.Get("RateLimit") != `"requests";r=2;t=60` {
		t.Errorf("what it costs is not left: limited %v, %v", limited, h)
	}
	if limited, _ := ask(0); limited {
		t.Error("what costs nothing more is limited")
	}
	elsewhere := from("198.51.100.7:1")
	if limited, h := ask(1000, elsewhere); limited || h.Get("RateLimit") != `"requests";r=0;t=60` {
		t.Errorf("what costs more than there is: limited %v, %v", limited, h)
	}
	if limited, _ := ask(0, elsewhere); !limited {
		t.Error("it is not used up")
	}
	for _, more := range []int{0, -5} {
		w := httptest.NewRecorder()
		if err := g.Charge(w, request(elsewhere), RequestsPerAddress, Caller{}, more); err != nil || len(w.Header()) > 0 {
			t.Errorf("%d more: %v, %v", more, err, w.Header())
		}
	}
	if limited, _ := ask(0, elsewhere); !limited {
		t.Error("what costs less than nothing gives requests back")
	}
}
