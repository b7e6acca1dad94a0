package console

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/google/uuid"
)

// question is what an operator is asked before something is done.
type question struct {
	Title string
	// Says is what will happen, a paragraph each.
	Says   []string
	Button string
	// Back is where "Don't" leads.
	Back string

	// Action and Fields are the form that asked, to be sent again.
	Action string
	Fields []field
}

type field struct{ Name, Value string }

// confirm asks, unless the answer is in the request: false means that it has sent the question. The question's form holds what the first
// one held, and a key for the API, so that the answer may be sent twice.
func (c *Console) confirm(w http.ResponseWriter, r *http.Request, q question) (yes bool, err error) {
	if err := r.ParseForm(); err != nil {
		return false, err
	}
	if r.PostForm.Get("confirmed") == "yes" {
		return true, nil
	}
	q.Action = r.URL.RequestURI()
	for name, values := range r.PostForm {
		for _, value := range values {
			q.Fields = append(q.Fields, field{name, value})
		}
	}
	slices.SortFunc(q.Fields, func(a, b field) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) })
	q.Fields = append(q.Fields, field{"confirmed", "yes"}, field{"key", uuid.NewString()})
	return false, c.Render(w, r, http.StatusOK, "confirm", q)
}
