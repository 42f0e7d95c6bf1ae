package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// everyField returns an edit that sets every field, each to a value of its own that differs with n.
// So a test with it notices a field that an adapter forgets or mixes up with another, also one that
// is added later.
func everyField(n int) store.Edit {
	e := store.Edit{Version: store.AnyVersion}
	fields := reflect.ValueOf(&e).Elem()
	for i := range fields.NumField() {
		f := fields.Field(i)
		if f.Kind() != reflect.Pointer {
			continue
		}
		f.Set(reflect.New(f.Type().Elem()))
		switch p := f.Interface().(type) {
		case *string:
			*p = fmt.Sprintf("%s %d", fields.Type().Field(i).Name, n)
		case *bool:
			*p = n%2 == 1
		case *int64:
			*p = int64(100*i + n)
		case *time.Time:
			*p = now.Add(time.Duration(24*(i-99)+n) * time.Hour) // a later field has a later time: each event ends after it starts
		default:
			panic(fmt.Sprintf("storetest: no value for a field of type %T", p))
		}
	}
	return e
}

func sameEvents(a, b []store.Event) bool { return slices.EqualFunc(a, b, store.Event.Equal) }

func sameRegistrations(a, b []store.Registration) bool {
	return slices.EqualFunc(a, b, store.Registration.Equal)
}
