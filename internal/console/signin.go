package console

import (
	"net/http"

	"larder.dev/internal/web"
)

// signInPage is what the sign-in shows.
type signInPage struct {
	Email, Next string
	Trouble     *web.Trouble
}

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request) error {
	return c.Render(w, r, http.StatusOK, "sign-in", signInPage{Next: web.Next(r, base)})
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) error {
	next := web.Next(r, base)
	if _, err := c.SignIn(w, r, r.FormValue("email"), r.FormValue("password")); err != nil {
		trouble, err := web.Again(err)
		if err != nil {
			return err
		}
		return c.Render(w, r, trouble.Status, "sign-in", signInPage{Email: r.FormValue("email"), Next: next, Trouble: trouble})
	}
	return goOn(w, r, next)
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := c.SignOut(w, r); err != nil {
		return err
	}
	return goOn(w, r, base+"/sign-in")
}
