// Package changes tells what the rows of the record of changes say, item by item, and packs them for
// databases. It is pure but for OfRegistration, which reads rows.
package changes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// The packed form of a row: a byte for the version of the form, then the fields in the order of
// appendBody, numbers as varints and ids as 12 bytes. Numbers and times of actions are differences
// to the action before, most often one byte. A seat takes about 20 bytes and its request id.
const packedVersion = 1

// packedKinds returns the kinds by their codes in the packed form. Never change them; 0 stands before a text.
func packedKinds() []string {
	return []string{"", string(store.Register), string(store.Cancel), string(store.EditEvent), string(store.Recount)}
}

// packedStarts returns the starts by their codes in the packed form. Never change them.
func packedStarts() []string {
	return []string{"", string(store.StartImport), string(store.StartTakeover)}
}

// Flags of a packed action.
const (
	packedUser     = 1 << iota // it has a user
	packedWaiting              // Action.Waiting
	packedSelf                 // the actor is ActorPerson with the id of the user
	packedNobody               // the actor is the zero Actor
	packedEdit                 // it has Edited and CancelsEvent
	packedPromoted             // it has a Promotion
	packedHexID                // RequestID is 24 lower-case hex digits
)

// Pack returns everything of the row but EventID, Revision and At, as databases store it.
func Pack(r store.ChangeRecord) []byte {
	b := make([]byte, 0, 64+64*len(r.Actions)+14*len(r.Roster))
	b = append(b, packedVersion)
	b = append(b, byte(slices.Index(packedStarts(), string(r.Start))))
	for _, n := range listOf(r.After) {
		b = binary.AppendVarint(b, n)
	}
	for i, n := range listOf(r.Before) {
		b = binary.AppendVarint(b, n-listOf(r.After)[i])
	}
	b = binary.AppendUvarint(b, uint64(len(r.Actions)))
	var number int64
	at := r.At.UnixMilli()
	for _, a := range r.Actions {
		b = packAction(b, a, number, at)
		number = a.Number
	}
	return appendNumbered(b, r.Roster)
}

func listOf(c store.Counters) [5]int64 {
	return [5]int64{c.Capacity, c.TicketsSold, c.Waiting, c.LastNumber, c.ConfirmedThrough}
}

func countersOfList(n [5]int64) store.Counters {
	return store.Counters{Capacity: n[0], TicketsSold: n[1], Waiting: n[2], LastNumber: n[3], ConfirmedThrough: n[4]}
}

func packAction(b []byte, a store.Action, number, at int64) []byte {
	var flags byte
	set := func(flag byte, when bool) {
		if when {
			flags |= flag
		}
	}
	hexID, isHex := parseHexID(a.RequestID)
	self := a.Actor == store.Actor{Kind: store.ActorPerson, ID: a.UserID}
	set(packedUser, !a.UserID.IsZero())
	set(packedWaiting, a.Waiting)
	set(packedSelf, self)
	set(packedNobody, a.Actor == store.Actor{})
	set(packedEdit, len(a.Edited) > 0 || a.CancelsEvent)
	set(packedPromoted, a.Promoted.Count > 0)
	set(packedHexID, isHex)
	if i := slices.Index(packedKinds(), string(a.Kind)); i > 0 {
		b = append(b, byte(i))
	} else {
		b = appendText(append(b, 0), string(a.Kind))
	}
	b = append(b, flags)
	if !a.UserID.IsZero() {
		b = append(b, a.UserID[:]...)
	}
	b = binary.AppendVarint(b, a.Number-number)
	b = binary.AppendVarint(b, a.At.UnixMilli()-at)
	if !self && a.Actor != (store.Actor{}) {
		b = append(appendText(b, packedKind(a.Actor)), a.Actor.ID[:]...)
	}
	if isHex {
		b = append(b, hexID[:]...)
	} else {
		b = appendText(b, a.RequestID)
	}
	if flags&packedEdit != 0 {
		var cancels byte
		if a.CancelsEvent {
			cancels = 1
		}
		b = binary.AppendUvarint(append(b, cancels), uint64(len(a.Edited)))
		for _, field := range a.Edited {
			b = appendText(b, field)
		}
	}
	if p := a.Promoted; p.Count > 0 {
		b = binary.AppendVarint(b, p.After)
		b = binary.AppendVarint(b, p.Through-p.After)
		b = binary.AppendUvarint(b, uint64(p.Count))
		b = appendNumbered(b, p.Users)
	}
	return b
}

// packedKind returns the kind of an actor with the proof after it, as in person/oidc. Versions before
// know no proofs, and take that for a kind of a newer version: so they read every row.
func packedKind(a store.Actor) string {
	if a.Proof == "" {
		return string(a.Kind)
	}
	return string(a.Kind) + "/" + string(a.Proof)
}

// actorOfKind reads what packedKind has made.
func actorOfKind(text string) store.Actor {
	kind, proof, _ := strings.Cut(text, "/")
	return store.Actor{Kind: store.ActorKind(kind), Proof: store.Proof(proof)}
}

// parseHexID reads a request id that is written as an ID is, exactly.
func parseHexID(s string) (store.ID, bool) {
	id, err := store.ParseID(s)
	return id, err == nil && id.Hex() == s
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendNumbered(b []byte, users []store.NumberedUser) []byte {
	b = binary.AppendUvarint(b, uint64(len(users)))
	var last int64
	for _, u := range users {
		b = append(binary.AppendVarint(b, u.Number-last), u.UserID[:]...)
		last = u.Number
	}
	return b
}

// Unpack returns the row that Pack has packed. An error matches ErrDamaged.
func Unpack(eventID store.ID, revision int64, at time.Time, packed []byte) (store.ChangeRecord, error) {
	r := store.ChangeRecord{EventID: eventID, Revision: revision, At: at.UTC()}
	u := unpacker{rest: packed}
	u.record(&r)
	if len(u.rest) > 0 { // after an error there is no rest
		u.err = fmt.Errorf("%d bytes too many", len(u.rest))
	}
	if u.err != nil {
		return store.ChangeRecord{}, fmt.Errorf("%w: the change of event %s at revision %d: %w", store.ErrDamaged, eventID.Hex(), revision, u.err)
	}
	return r, nil
}

// unpacker reads the packed form. After an error all of its methods return zero values.
type unpacker struct {
	rest []byte
	err  error
}

var errShort = errors.New("it is cut off")

func (u *unpacker) fail(err error) {
	if u.err == nil {
		u.err = err
	}
	u.rest = nil
}

func (u *unpacker) bytes(n uint64) []byte {
	if uint64(len(u.rest)) < n {
		u.fail(errShort)
		return nil
	}
	b := u.rest[:n]
	u.rest = u.rest[n:]
	return b
}

func (u *unpacker) byte() byte {
	if b := u.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (u *unpacker) varint() int64 {
	n, size := binary.Varint(u.rest)
	if size <= 0 {
		u.fail(errShort)
		return 0
	}
	u.rest = u.rest[size:]
	return n
}

func (u *unpacker) uvarint() uint64 {
	n, size := binary.Uvarint(u.rest)
	if size <= 0 {
		u.fail(errShort)
		return 0
	}
	u.rest = u.rest[size:]
	return n
}

// count reads how many things follow, each of at least size bytes.
func (u *unpacker) count(size int) int {
	n := u.uvarint()
	if n > uint64(len(u.rest)/size) {
		u.fail(errShort)
		return 0
	}
	return int(n)
}

func (u *unpacker) id() (id store.ID) {
	copy(id[:], u.bytes(uint64(len(id))))
	return id
}

func (u *unpacker) text() string { return string(u.bytes(u.uvarint())) }

func (u *unpacker) code(names []string) string {
	if i := int(u.byte()); i < len(names) {
		return names[i]
	}
	u.fail(errors.New("it has a code that this version does not know"))
	return ""
}

func (u *unpacker) numbered() []store.NumberedUser {
	n := u.count(1 + len(store.ID{}))
	if n == 0 {
		return nil
	}
	users := make([]store.NumberedUser, n)
	var last int64
	for i := range users {
		last += u.varint()
		users[i] = store.NumberedUser{Number: last, UserID: u.id()}
	}
	return users
}

func (u *unpacker) record(r *store.ChangeRecord) {
	if v := u.byte(); v != packedVersion {
		u.fail(fmt.Errorf("it has the form %d, and this version knows %d", v, packedVersion))
		return
	}
	r.Start = store.Start(u.code(packedStarts()))
	var before, after [5]int64
	for i := range after {
		after[i] = u.varint()
	}
	for i := range before {
		before[i] = after[i] + u.varint()
	}
	r.Before, r.After = countersOfList(before), countersOfList(after)
	const smallestAction = 5
	n := u.count(smallestAction)
	var number int64
	at := r.At.UnixMilli()
	for range n {
		a := u.action(number, at)
		if u.err != nil {
			return
		}
		r.Actions, number = append(r.Actions, a), a.Number
	}
	r.Roster = u.numbered()
}

func (u *unpacker) action(number, at int64) (a store.Action) {
	if a.Kind = store.Kind(u.code(packedKinds())); a.Kind == "" {
		a.Kind = store.Kind(u.text())
	}
	flags := u.byte()
	if flags&packedUser != 0 {
		a.UserID = u.id()
	}
	a.Waiting = flags&packedWaiting != 0
	a.Number = number + u.varint()
	a.At = time.UnixMilli(at + u.varint()).UTC()
	switch {
	case flags&packedSelf != 0:
		a.Actor = store.Actor{Kind: store.ActorPerson, ID: a.UserID}
	case flags&packedNobody == 0:
		a.Actor = actorOfKind(u.text())
		a.Actor.ID = u.id()
	}
	if flags&packedHexID != 0 {
		a.RequestID = u.id().Hex()
	} else {
		a.RequestID = u.text()
	}
	if flags&packedEdit != 0 {
		a.CancelsEvent = u.byte() != 0
		for range u.count(1) {
			a.Edited = append(a.Edited, u.text())
		}
	}
	if flags&packedPromoted != 0 {
		a.Promoted.After = u.varint()
		a.Promoted.Through = a.Promoted.After + u.varint()
		a.Promoted.Count = int64(u.uvarint())
		a.Promoted.Users = u.numbered()
	}
	return a
}
