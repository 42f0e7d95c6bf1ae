package store

import (
	"fmt"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestPastRequestsAsStored checks the text under which databases store past requests, which never
// changes.
func TestPastRequestsAsStored(t *testing.T) {
	for text, list := range map[string]PastRequests{
		"":               nil,
		"a":              {{ID: "a"}},
		"a b\n\tc\nd":    {{ID: "a b"}, {ID: "c", FoundRegistration: true}, {ID: "d"}},
		"\ta\na\nb\n\tb": {{ID: "a", FoundRegistration: true}, {ID: "a"}, {ID: "b"}, {ID: "b", FoundRegistration: true}},
	} {
		if got := list.String(); got != text {
			t.Errorf("%v is stored as %q, want %q", list, got, text)
		}
		if got := ParsePastRequests(text); !slices.Equal(got, list) {
			t.Errorf("%q is read as %v, want %v", text, got, list)
		}
		type doc struct {
			Past PastRequests `bson:"past,omitempty"`
		}
		raw, err := bson.Marshal(doc{list})
		if err != nil {
			t.Fatal(err)
		}
		if got, found := bson.Raw(raw).Lookup("past").StringValueOK(); got != text || found != (text != "") {
			t.Errorf("%v is %q in MongoDB", list, got)
		}
		var read doc
		if err := bson.Unmarshal(raw, &read); err != nil || !slices.Equal(read.Past, list) {
			t.Errorf("%q is read from MongoDB as %v, %v", text, read.Past, err)
		}
	}
}

// TestPastRequestsAreBounded checks that a list keeps the latest requests, and that a copy of a
// list stays as it is.
func TestPastRequestsAreBounded(t *testing.T) {
	var list PastRequests
	for i := range 5 {
		before := slices.Clone(list)
		copied := list
		list = list.add(3, PastRequest{ID: fmt.Sprint(i)}, PastRequest{ID: fmt.Sprint(i)})
		if !slices.Equal(copied, before) {
			t.Fatalf("%v became %v", before, copied)
		}
	}
	if want := "2\n3\n4"; list.String() != want {
		t.Errorf("the list is %q, want %q", list, want)
	}
}

// TestRevisionsAsStored checks the text under which databases store revisions, which never changes, and that what is no
// number in it is left out.
func TestRevisionsAsStored(t *testing.T) {
	for text, list := range map[string]Revisions{"": nil, "7": {7}, "7 12 9000000000": {7, 12, 9_000_000_000}} {
		if got := list.String(); got != text {
			t.Errorf("%v is stored as %q, want %q", list, got, text)
		}
		type doc struct {
			Revisions Revisions `bson:"revisions,omitempty"`
		}
		raw, err := bson.Marshal(doc{list})
		if err != nil {
			t.Fatal(err)
		}
		if got, found := bson.Raw(raw).Lookup("revisions").StringValueOK(); got != text || found != (text != "") {
			t.Errorf("%v is %q in MongoDB", list, got)
		}
		var read doc
		if err := bson.Unmarshal(raw, &read); err != nil || !slices.Equal(read.Revisions, list) {
			t.Errorf("%q is read from MongoDB as %v, %v", text, read.Revisions, err)
		}
		for _, stored := range []string{text, "x " + text, text + " 1x"} {
			if got := ParseRevisions(stored); !slices.Equal(got, list) {
				t.Errorf("%q is read as %v, want %v", stored, got, list)
			}
		}
	}
}

// TestRevisionsAreBounded checks that a list keeps the latest revisions, each once, and that a copy of a list stays as it is.
func TestRevisionsAreBounded(t *testing.T) {
	var list, want Revisions
	for n := range int64(40) {
		before, copied := slices.Clone(list), list
		list = list.add(n).add(n)
		if !slices.Equal(copied, before) {
			t.Fatalf("%v became %v", before, copied)
		}
		if want = append(want, n); len(want) > 32 {
			want = want[1:]
		}
		if !slices.Equal(list, want) {
			t.Fatalf("with %d the list is %v", n, list)
		}
	}
}

// TestWhatIsNoTextIsNoList checks that a list of another type in MongoDB is an error.
func TestWhatIsNoTextIsNoList(t *testing.T) {
	raw, err := bson.Marshal(bson.D{{Key: "list", Value: 7}})
	if err != nil {
		t.Fatal(err)
	}
	var past struct{ List PastRequests }
	var revisions struct{ List Revisions }
	if err := bson.Unmarshal(raw, &past); err == nil {
		t.Errorf("past requests are read as %v", past.List)
	}
	if err := bson.Unmarshal(raw, &revisions); err == nil {
		t.Errorf("revisions are read as %v", revisions.List)
	}
}
