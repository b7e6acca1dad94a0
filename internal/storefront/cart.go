package storefront

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"

	cartpb "larder.dev/api/cart/v1"
	"larder.dev/api/client"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/web"
)

// maxQuantity is the most that a line of a cart holds.
const maxQuantity = 99

// basket is what the page and the drawer show.
type basket struct {
	Cart  *cartpb.Cart // nil: none was begun
	Count int32
	// Trouble says why the last change wasn't made.
	Trouble *web.Trouble
	// Added is the name of what was just put in.
	Added string
	// Free is what is missing to a free delivery; nil: nothing is, or there is none.
	Free *typepb.Money
	// Blocked: a line can't be bought as it is.
	Blocked bool
}

// cartID is the cart that a request means, "" if there is none yet.
func (s *Storefront) cartID(r *http.Request) string {
	if web.PersonOf(r.Context()) != nil {
		return "me"
	}
	return s.visit(r).Cart
}

// cart reads the visit's cart; nil: there is none, or it has gone.
func (s *Storefront) cart(r *http.Request) (*cartpb.Cart, error) {
	id := s.cartID(r)
	if id == "" {
		return nil, nil //nolint:nilnil // no cart is no error
	}
	cart, err := s.API.GetCart(r.Context(), &cartpb.GetCartRequest{CartId: id})
	if client.ReasonOf(err) == "CART_NOT_FOUND" {
		return nil, nil //nolint:nilnil // as above
	}
	return cart, err
}

// openCart begins a cart in the visit's store.
func (s *Storefront) openCart(w http.ResponseWriter, r *http.Request) (*cartpb.Cart, *http.Request, error) {
	store, err := s.store(r)
	if err != nil {
		return nil, r, err
	}
	cart, err := s.API.CreateCart(r.Context(), &cartpb.CreateCartRequest{StoreId: store.GetStoreId()})
	if err != nil {
		return nil, r, err
	}
	v := s.visit(r)
	v.Store = cart.GetStoreId()
	if web.PersonOf(r.Context()) == nil {
		v.Cart = cart.GetCartId()
	}
	r, err = s.keep(w, r, v)
	return cart, r, err
}

// count keeps how much is in the cart, for the head of the next pages.
func (s *Storefront) count(w http.ResponseWriter, r *http.Request, cart *cartpb.Cart) (*http.Request, error) {
	v := s.visit(r)
	v.Count = 0
	for _, item := range cart.GetItems() {
		v.Count += item.GetQuantity()
	}
	if cart == nil && web.PersonOf(r.Context()) == nil {
		v.Cart = ""
	}
	if cart.GetStoreId() != "" {
		v.Store = cart.GetStoreId()
	}
	return s.keep(w, r, v)
}

// lay makes a basket of a cart.
func (s *Storefront) lay(ctx context.Context, cart *cartpb.Cart) basket {
	b := basket{Cart: cart}
	for _, item := range cart.GetItems() {
		b.Count += item.GetQuantity()
		b.Blocked = b.Blocked || !item.GetSold()
	}
	stores, err := s.stores.Get(ctx)
	if err != nil || cart == nil {
		return b
	}
	from, lines := storeOf(stores, cart.GetStoreId()).GetFreeDeliveryFrom(), cart.GetTotals().GetLines()
	if from != nil && lines.GetMinorUnits() > 0 && lines.GetMinorUnits() < from.GetMinorUnits() {
		b.Free = &typepb.Money{Currency: from.GetCurrency(), MinorUnits: from.GetMinorUnits() - lines.GetMinorUnits()}
	}
	return b
}

func (s *Storefront) showCart(w http.ResponseWriter, r *http.Request) error {
	cart, err := s.cart(r)
	if err != nil {
		return err
	}
	if r, err = s.count(w, r, cart); err != nil {
		return err
	}
	return s.basketPage(w, r, http.StatusOK, s.lay(r.Context(), cart))
}

func (s *Storefront) basketPage(w http.ResponseWriter, r *http.Request, status int, b basket) error {
	return s.Show(w, r, status, "cart", "basket", b)
}

// putItem adds to a line ("add"), or sets its quantity ("quantity"; 0 takes it out), or agrees to a substitute ("substitutable").
func (s *Storefront) putItem(w http.ResponseWriter, r *http.Request) error {
	product := r.FormValue("product")
	if product == "" {
		return &web.Trouble{Status: http.StatusBadRequest, Title: "This form isn't whole", Text: "Please open the page again and add the product from there."}
	}
	cart, err := s.cart(r)
	if err != nil {
		return err
	}
	if cart == nil {
		if cart, r, err = s.openCart(w, r); err != nil {
			return err
		}
	}
	had := int32(0)
	for _, item := range cart.GetItems() {
		if item.GetProductId() == product {
			had = item.GetQuantity()
		}
	}
	quantity, err := wanted(r, had)
	if err != nil {
		return err
	}
	changed, err := s.setItem(r, product, quantity)
	if trouble := web.Explain(err); err != nil && trouble.Status < http.StatusInternalServerError && trouble.Status != http.StatusUnauthorized {
		b := s.lay(r.Context(), cart)
		b.Trouble = trouble
		return s.basketPage(w, r, trouble.Status, b)
	}
	if err != nil {
		return err
	}
	if r, err = s.count(w, r, changed); err != nil {
		return err
	}
	b := s.lay(r.Context(), changed) //nolint:contextcheck // the request's, with what the browser keeps
	if web.IsFragment(r) {
		if r.FormValue("add") != "" {
			for _, item := range changed.GetItems() {
				if item.GetProductId() == product {
					b.Added = item.GetName()
				}
			}
		}
		return s.basketPage(w, r, http.StatusOK, b)
	}
	http.Redirect(w, r, web.Next(r, "/cart"), http.StatusSeeOther)
	return nil
}

// wanted is the quantity that a form asks for.
func wanted(r *http.Request, had int32) (int32, error) {
	text, base := r.FormValue("quantity"), int32(0)
	if r.FormValue("add") != "" {
		text, base = r.FormValue("add"), had
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 || n > maxQuantity {
		return 0, &web.Trouble{Status: http.StatusBadRequest, Title: "How many?", Text: "Please choose 1 to 99."}
	}
	return min(base+int32(n), maxQuantity), nil
}

func (s *Storefront) setItem(r *http.Request, product string, quantity int32) (*cartpb.Cart, error) {
	id := s.cartID(r)
	if quantity == 0 {
		return s.API.DeleteItem(r.Context(), &cartpb.DeleteItemRequest{CartId: id, ProductId: product})
	}
	request := &cartpb.PutItemRequest{CartId: id, ProductId: product, Quantity: quantity}
	if choice := r.FormValue("substitutable"); choice != "" {
		agreed := choice == "yes"
		request.Substitutable = &agreed
	}
	return s.API.PutItem(r.Context(), request)
}

// moveCart takes the visit's cart to another store. A shopper's cart moves there; a guest cart can't, so its lines go into a new one.
func (s *Storefront) moveCart(w http.ResponseWriter, r *http.Request, store string) (*http.Request, error) {
	cart, err := s.cart(r)
	if err != nil || cart == nil || cart.GetStoreId() == store {
		return r, err
	}
	moved, err := s.API.CreateCart(r.Context(), &cartpb.CreateCartRequest{StoreId: store})
	if err != nil {
		return r, err
	}
	if web.PersonOf(r.Context()) != nil {
		return s.count(w, r, moved)
	}
	for _, item := range cart.GetItems() {
		agreed := item.GetSubstitutable()
		next, err := s.API.PutItem(r.Context(), &cartpb.PutItemRequest{
			CartId: moved.GetCartId(), ProductId: item.GetProductId(), Quantity: item.GetQuantity(), Substitutable: &agreed,
		})
		switch client.ReasonOf(err) {
		case "PRODUCT_NOT_SOLD", "PRODUCT_NOT_FOUND":
			continue // what the new store doesn't have stays behind
		}
		if err != nil {
			return r, err
		}
		moved = next
	}
	v := s.visit(r)
	v.Cart = moved.GetCartId()
	if r, err = s.keep(w, r, v); err != nil {
		return r, err
	}
	return s.count(w, r, moved)
}

// adopt merges the guest cart into that of who has just signed in. What goes wrong here doesn't undo the sign-in: the guest cart stays, and
// is merged at the next one.
func (s *Storefront) adopt(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	v := s.visit(r)
	if v.Cart == "" {
		cart, err := s.cart(r)
		if err != nil {
			return r, nil //nolint:nilerr // the count in the head is all that is missing
		}
		return s.count(w, r, cart)
	}
	merged, err := s.API.MergeCart(r.Context(), &cartpb.MergeCartRequest{CartId: v.Cart})
	if err != nil && client.ReasonOf(err) != "CART_NOT_FOUND" {
		slog.WarnContext(r.Context(), "a guest's cart wasn't merged, and stays", "error", err)
		return r, nil
	}
	v.Cart = ""
	if r, err = s.keep(w, r, v); err != nil {
		return r, err
	}
	return s.count(w, r, merged)
}
