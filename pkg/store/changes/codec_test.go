package changes

import (
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func sampleChange() store.ChangeRecord {
	user, other, at := store.NewID(), store.NewID(), time.UnixMilli(1_790_000_000_123).UTC()
	return store.ChangeRecord{
		EventID: store.NewID(), Revision: 7, At: at,
		Before: store.Counters{Capacity: 3, TicketsSold: 3, Waiting: 2, LastNumber: 5, ConfirmedThrough: 3},
		After:  store.Counters{Capacity: 4, TicketsSold: 4, Waiting: 1, LastNumber: 6, ConfirmedThrough: 5},
		Actions: []store.Action{
			{Kind: store.Register, Actor: store.Actor{Kind: store.ActorPerson, ID: user}, UserID: user, Number: 6, Waiting: true, RequestID: store.NewID().Hex(), At: at},
			{Kind: store.Cancel, Actor: store.Actor{Kind: "of a newer version", ID: other}, UserID: other, Number: 2, RequestID: "ABCDEF0123456789ABCDEF01", At: at.Add(-time.Second),
				Promoted: store.Promotion{After: 3, Through: 4, Count: 1, Users: []store.NumberedUser{{Number: 4, UserID: user}}}},
			{Kind: store.EditEvent, RequestID: "x", At: at, Edited: []string{"capacity", "title"}, CancelsEvent: true},
			{Kind: store.EditEvent, RequestID: "x", At: at, Edited: []string{"title"}},
			{Kind: store.EditEvent, RequestID: "x", At: at, CancelsEvent: true},
			{Kind: store.Register, Actor: store.Actor{Kind: store.ActorPerson}, RequestID: "nobody", At: at},
			{Kind: store.Register, Actor: store.Actor{Kind: store.ActorPerson, ID: user, Proof: store.ProofOIDC}, UserID: user, RequestID: "issuer", At: at},
			{Kind: store.Cancel, Actor: store.Actor{Kind: store.ActorOrganizer, ID: other, Proof: "of a newer version"}, UserID: user, RequestID: "proof", At: at},
			{Kind: "of a newer version", Actor: store.Actor{Kind: store.ActorOperator}, RequestID: "y", At: at, Number: -3,
				Promoted: store.Promotion{After: 4, Through: 99_999, Count: 50_000}},
		},
		Roster: []store.NumberedUser{{Number: 1, UserID: user}, {Number: 3, UserID: other}},
	}
}

func TestPackedChanges(t *testing.T) {
	for name, want := range map[string]store.ChangeRecord{
		"everything": sampleChange(),
		"a start":    {EventID: store.NewID(), Revision: 1, At: time.UnixMilli(5).UTC(), Start: store.StartTakeover},
		"no kind":    {Revision: 1, At: time.UnixMilli(5).UTC(), Actions: []store.Action{{RequestID: "x", At: time.UnixMilli(5).UTC()}}},
	} {
		packed := Pack(want)
		got, err := Unpack(want.EventID, want.Revision, want.At, packed)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
		}
		for n := range packed {
			if _, err := Unpack(want.EventID, want.Revision, want.At, packed[:n]); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%s, cut off at %d: %v", name, n, err)
			}
		}
		if _, err := Unpack(want.EventID, want.Revision, want.At, append(packed, 0)); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s, with a byte more: %v", name, err)
		}
	}
}

// TestPackedChangesAreSmall checks how many bytes the everyday rows take: there is one for each seat.
func TestPackedChangesAreSmall(t *testing.T) {
	user, at := store.NewID(), time.UnixMilli(1_790_000_000_123).UTC()
	counters := func(n int64) store.Counters {
		return store.Counters{Capacity: 50, TicketsSold: n, LastNumber: n, ConfirmedThrough: n}
	}
	seat := store.Action{
		Kind: store.Register, Actor: store.Actor{Kind: store.ActorPerson, ID: user}, UserID: user, Number: 10, RequestID: store.NewID().Hex(), At: at,
	}
	row := func(actions ...store.Action) store.ChangeRecord {
		return store.ChangeRecord{At: at, Before: counters(9), After: counters(10), Actions: actions}
	}
	empty := len(Pack(row()))
	if got := len(Pack(row(seat))) - empty; got != 2+12+2+12 { // kind and flags, user, number and time, request id
		t.Errorf("a seat takes %d bytes", got)
	}
	seat.RequestID = "0123456789abcdef"
	if got := len(Pack(row(seat))) - empty; got != 2+12+2+17 {
		t.Errorf("a seat under a key of 16 bytes takes %d", got)
	}
	seat.Actor = store.Actor{Kind: store.ActorKey, ID: user} // without a proof its kind stands alone, as versions before read it
	if got := len(Pack(row(seat))) - empty; got != 2+12+2+(1+3+12)+17 {
		t.Errorf("a seat by a key takes %d", got)
	}
	long := row()
	for i := range 1000 {
		long.Roster = append(long.Roster, store.NumberedUser{Number: int64(i) + 1, UserID: user})
	}
	if got := len(Pack(long)) - empty; got != 1000*13+1 {
		t.Errorf("a roster of 1000 takes %d bytes", got)
	}
}

// TestDamagedChangesAreToldApart checks that a row is damaged, and why, when it has what this version does not
// know, or counts more than there is.
func TestDamagedChangesAreToldApart(t *testing.T) {
	start := Pack(store.ChangeRecord{At: time.UnixMilli(5)}) // form, start, ten counters, no actions, no roster
	with := func(at int, put ...byte) []byte { return slices.Concat(start[:at], put, start[at+1:]) }
	many := binary.AppendUvarint(nil, 1<<60)
	action := func(flags byte, rest ...byte) []byte { // one of kind 1 without anything
		return with(12, append([]byte{1, 1, flags}, rest...)...)
	}
	for name, c := range map[string]struct {
		packed []byte
		reason string
	}{
		"a newer form":               {with(0, 2), "it has the form 2, and this version knows 1"},
		"the first unknown start":    {with(1, byte(len(packedStarts()))), "a code that this version does not know"},
		"the last unknown start":     {with(1, 255), "a code that this version does not know"},
		"the first unknown kind":     {with(12, 1, byte(len(packedKinds())), 0, 0, 0, 0, 0), "a code that this version does not know"},
		"actions without end":        {with(12, many...), "it is cut off"},
		"more actions than fit":      {with(12, 3, 0, 0, 0, 0, 0), "it is cut off"},
		"a roster without end":       {with(13, many...), "it is cut off"},
		"more people than there are": {with(13, append(many, make([]byte, 13)...)...), "it is cut off"},
		"a number without end":       {with(2, slices.Repeat([]byte{0xff}, 11)...), "it is cut off"},
		"fields without end":         {action(packedNobody|packedEdit, slices.Concat([]byte{0, 0, 0, 0}, many)...), "it is cut off"},
		"a request id without end":   {action(packedNobody, slices.Concat([]byte{0, 0}, many)...), "it is cut off"},
		"people who move up forever": {action(packedNobody|packedPromoted, slices.Concat([]byte{0, 0, 0, 2, 2, 1}, many)...), "it is cut off"},
	} {
		_, err := Unpack(store.ID{1}, 2, time.UnixMilli(5), c.packed)
		if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(start) != 14 {
		t.Errorf("the shortest row has %d bytes", len(start))
	}
	u := unpacker{rest: []byte{1, 2, 3, 4}}
	u.fail(errShort)
	if u.byte() != 0 || u.varint() != 0 || u.uvarint() != 0 || u.bytes(1) != nil || u.count(1) != 0 || u.text() != "" {
		t.Error("it reads on after an error")
	}
}

// TestWhatIsNotThereIsNotRead checks each way to read at the end of what is there: the last that fits is read, and the
// next one is an error, before anything is made for it.
func TestWhatIsNotThereIsNotRead(t *testing.T) {
	for name, c := range map[string]struct {
		rest []byte
		read func(u *unpacker)
		fits bool
	}{
		"the last byte":                 {[]byte{1}, func(u *unpacker) { u.byte() }, true},
		"a byte":                        {nil, func(u *unpacker) { u.byte() }, false},
		"the last number":               {[]byte{1}, func(u *unpacker) { u.varint() }, true},
		"a number":                      {nil, func(u *unpacker) { u.varint() }, false},
		"a number that goes on":         {[]byte{0x80}, func(u *unpacker) { u.varint() }, false},
		"a length":                      {nil, func(u *unpacker) { u.uvarint() }, false},
		"an id":                         {make([]byte, 11), func(u *unpacker) { u.id() }, false},
		"an empty text":                 {[]byte{0}, func(u *unpacker) { u.text() }, true},
		"a text":                        {[]byte{2, 'a'}, func(u *unpacker) { u.text() }, false},
		"as many things as fit":         {append([]byte{3}, make([]byte, 17)...), func(u *unpacker) { u.count(5) }, true},
		"more things than fit":          {append([]byte{4}, make([]byte, 19)...), func(u *unpacker) { u.count(5) }, false},
		"as many people as fit, of one": {append([]byte{1}, make([]byte, 13)...), func(u *unpacker) { u.numbered() }, true},
	} {
		u := unpacker{rest: c.rest}
		if c.read(&u); (u.err == nil) != c.fits {
			t.Errorf("%s: %v", name, u.err)
		}
	}
}

func FuzzUnpackChange(f *testing.F) {
	f.Add(Pack(sampleChange()))
	f.Add([]byte{})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, packed []byte) {
		r, err := Unpack(store.ID{1}, 2, time.UnixMilli(3), packed)
		if err != nil {
			return
		}
		again, err := Unpack(r.EventID, r.Revision, r.At, Pack(r))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v, packed again, is %+v, %v", r, again, err)
		}
	})
}
