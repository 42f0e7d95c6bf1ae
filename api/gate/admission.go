package gate

import (
	"net/http"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/store"
)

// HeaderAdmission has the admission of a gateway that stands before the queue.
const HeaderAdmission = "Eventio-Admission"

// RequireAdmission returns the problem NotAdmitted unless the request has an admission of a user to an
// event, where a gateway admits people. It is always the same: nobody learns what is wrong with one.
func (g *Gate) RequireAdmission(r *http.Request, event, user store.ID) error {
	if g.admissions == nil {
		return nil
	}
	if sent := r.Header[HeaderAdmission]; len(sent) == 1 && g.admissions.Admits(sent[0], event, user) {
		return nil
	}
	return problem.New(problem.NotAdmitted)
}
