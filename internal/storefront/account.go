package storefront

import (
	"log/slog"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	"larder.dev/api/client"
	typepb "larder.dev/api/type/v1"
	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/web"
)

// form is what the pages of accounts show: what was typed, and what is wrong with it.
type form struct {
	Email, Name, Next, Token string
	Trouble                  *web.Trouble
	Done                     bool
}

// again shows a form with what is wrong, or fails for good.
func (s *Storefront) again(w http.ResponseWriter, r *http.Request, page string, f form, err error) error {
	if f.Trouble, err = web.Again(err); err != nil {
		return err
	}
	return s.Render(w, r, f.Trouble.Status, page, f)
}

func (s *Storefront) showSignIn(w http.ResponseWriter, r *http.Request) error {
	if web.PersonOf(r.Context()) != nil {
		http.Redirect(w, r, web.Next(r, "/"), http.StatusSeeOther)
		return nil
	}
	return s.Render(w, r, http.StatusOK, "sign-in", form{Next: web.Next(r, "/")})
}

func (s *Storefront) signIn(w http.ResponseWriter, r *http.Request) error {
	f := form{Email: strings.TrimSpace(r.FormValue("email")), Next: web.Next(r, "/")}
	ctx, err := s.SignIn(w, r, f.Email, r.FormValue("password"))
	if err != nil {
		// BAD_CREDENTIALS is 401 on the API, where it asks for a token. Here it is a form to be filled in again.
		return s.again(w, r, "sign-in", f, err)
	}
	if r, err = s.adopt(w, r.WithContext(ctx)); err != nil {
		return err
	}
	http.Redirect(w, r, f.Next, http.StatusSeeOther)
	return nil
}

func (s *Storefront) signOut(w http.ResponseWriter, r *http.Request) error {
	v := s.visit(r)
	v.Cart, v.Count = "", 0
	if _, err := s.keep(w, r, v); err != nil {
		return err
	}
	if err := s.SignOut(w, r); err != nil {
		slog.WarnContext(r.Context(), "the API didn't hear of a sign-out", "error", err)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

func (s *Storefront) showRegister(w http.ResponseWriter, r *http.Request) error {
	return s.Render(w, r, http.StatusOK, "register", form{Next: web.Next(r, "/")})
}

// register makes an account and signs in. Nobody learns here whether an address has an account already: then the API says yes too, a mail
// tells its owner, and the password of whoever asks fits or it doesn't.
func (s *Storefront) register(w http.ResponseWriter, r *http.Request) error {
	f := form{Email: strings.TrimSpace(r.FormValue("email")), Name: strings.TrimSpace(r.FormValue("name")), Next: web.Next(r, "/")}
	password := r.FormValue("password")
	if _, err := s.API.CreateUser(r.Context(), &userpb.CreateUserRequest{Email: f.Email, Password: password, DisplayName: f.Name}); err != nil {
		return s.again(w, r, "register", f, err)
	}
	ctx, err := s.SignIn(w, r, f.Email, password)
	if client.ReasonOf(err) == "BAD_CREDENTIALS" {
		f.Done = true
		return s.Render(w, r, http.StatusOK, "register", f)
	}
	if err != nil {
		return s.again(w, r, "register", f, err)
	}
	if r, err = s.adopt(w, r.WithContext(ctx)); err != nil { //nolint:contextcheck // it is made of the request's
		return err
	}
	http.Redirect(w, r, f.Next, http.StatusSeeOther)
	return nil
}

func (s *Storefront) showForgot(w http.ResponseWriter, r *http.Request) error {
	return s.Render(w, r, http.StatusOK, "forgot", form{})
}

func (s *Storefront) forgot(w http.ResponseWriter, r *http.Request) error {
	f := form{Email: strings.TrimSpace(r.FormValue("email"))}
	if _, err := s.API.RequestPasswordReset(r.Context(), &userpb.RequestPasswordResetRequest{Email: f.Email}); err != nil {
		return s.again(w, r, "forgot", f, err)
	}
	f.Done = true
	return s.Render(w, r, http.StatusOK, "forgot", f)
}

// Mails lead to /reset#TOKEN and /verify#TOKEN. A fragment never reaches a server: the page's script puts it into the form, or the person
// does.
func (s *Storefront) showReset(w http.ResponseWriter, r *http.Request) error {
	return s.Render(w, r, http.StatusOK, "reset", form{})
}

func (s *Storefront) reset(w http.ResponseWriter, r *http.Request) error {
	f := form{Token: tokenOf(r)}
	_, err := s.API.ResetPassword(r.Context(), &userpb.ResetPasswordRequest{Token: f.Token, Password: r.FormValue("password")})
	if err != nil {
		return s.again(w, r, "reset", f, err)
	}
	f.Done = true
	return s.Render(w, r, http.StatusOK, "reset", f)
}

func (s *Storefront) showVerify(w http.ResponseWriter, r *http.Request) error {
	return s.Render(w, r, http.StatusOK, "verify", form{})
}

func (s *Storefront) verify(w http.ResponseWriter, r *http.Request) error {
	f := form{Token: tokenOf(r)}
	session, err := s.API.VerifyEmail(r.Context(), &userpb.VerifyEmailRequest{Token: f.Token, Password: r.FormValue("password")})
	if err != nil {
		return s.again(w, r, "verify", f, err)
	}
	ctx, err := s.Begin(w, r, session)
	if err != nil {
		return err
	}
	if r, err = s.adopt(w, r.WithContext(ctx)); err != nil { //nolint:contextcheck // it is made of the request's
		return err
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
	return nil
}

// tokenOf takes the whole link too.
func tokenOf(r *http.Request) string {
	text := strings.TrimSpace(r.FormValue("token"))
	return text[strings.LastIndexByte(text, '#')+1:]
}

// account shows who one is and where one lives.
func (s *Storefront) account(w http.ResponseWriter, r *http.Request) error {
	return s.accountPage(w, r, http.StatusOK, nil, nil)
}

func (s *Storefront) accountPage(w http.ResponseWriter, r *http.Request, status int, typed *typepb.Address, trouble *web.Trouble) error {
	shown := struct {
		User      *userpb.User
		Addresses []*userpb.SavedAddress
		Typed     *typepb.Address
		Trouble   *web.Trouble
	}{Typed: typed, Trouble: trouble}
	group, ctx := errgroup.WithContext(r.Context())
	group.Go(func() (err error) {
		shown.User, err = s.API.GetUser(ctx, &userpb.GetUserRequest{})
		return err
	})
	group.Go(func() error {
		list, err := s.API.ListAddresses(ctx, &userpb.ListAddressesRequest{})
		shown.Addresses = list.GetAddresses()
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return s.Render(w, r, status, "account", shown)
}

func (s *Storefront) addAddress(w http.ResponseWriter, r *http.Request) error {
	typed := typedAddress(r)
	if _, err := s.API.CreateAddress(r.Context(), &userpb.CreateAddressRequest{Address: typed}); err != nil {
		trouble, err := web.Again(err)
		if err != nil {
			return err
		}
		return s.accountPage(w, r, trouble.Status, typed, trouble)
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
	return nil
}

func (s *Storefront) deleteAddress(w http.ResponseWriter, r *http.Request) error {
	_, err := s.API.DeleteAddress(r.Context(), &userpb.DeleteAddressRequest{AddressId: r.PathValue("address")})
	if err != nil && client.ReasonOf(err) != "ADDRESS_NOT_FOUND" { // deleted twice is deleted
		return err
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
	return nil
}

// typedAddress is the address in a form. Our stores are all in one country.
func typedAddress(r *http.Request) *typepb.Address {
	value := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	return &typepb.Address{
		Recipient: value("recipient"), Line1: value("line1"), Line2: value("line2"), City: value("city"),
		Postcode: strings.ToUpper(value("postcode")), Country: "GB", Phone: phone(value("phone")),
	}
}

// phone brings a British number as people write it, "07700 900123", into the form that the API takes, "+447700900123".
func phone(text string) string {
	text = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(text)
	if rest, ok := strings.CutPrefix(text, "0"); ok && !strings.HasPrefix(text, "00") {
		return "+44" + rest
	}
	return text
}
