package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"larder.dev/api/client"
)

// Trouble is what went wrong, in words for people. It holds nothing of the API's own texts, which are for those who look for a fault.
type Trouble struct {
	// Status is the page's HTTP status.
	Status int
	// Reason is the API's, "" where it is none of its refusals.
	Reason      string
	Title, Text string
	// Fields says what is wrong with which field of a form, by the last name of the API's field path: "postcode".
	Fields map[string]string
	// RequestID finds the request in the logs.
	RequestID  string
	RetryAfter time.Duration
}

// Error implements error.
func (t *Trouble) Error() string { return fmt.Sprintf("%d %s: %s", t.Status, t.Title, t.Text) }

// sentence is a refusal's title and what to do about it.
type sentence struct{ title, text string }

// sentences by the API's reasons (docs/errors.md). What a person can't have caused stays out: it is general.
var sentences = map[string]sentence{
	"INVALID_ARGUMENT":       {"Something is missing or not right", "Please look at the fields that are marked."},
	"INVALID_PAGE_TOKEN":     {"This page of the list has gone", "The list has changed. Start again from its first page."},
	"ROUTE_NOT_FOUND":        noSuchPage, // an id with a slash, in an address that somebody typed
	"REQUEST_TOO_LARGE":      {"That is too much at once", "Please send less."},
	"PERMISSION_DENIED":      {"This isn't open to you", "Your account doesn't have the rights for it."},
	"ETAG_MISMATCH":          {"It has changed meanwhile", "Somebody changed it since you opened the page. Look at it again, and decide anew."},
	"ALREADY_EXISTS":         {"There is one already", "Choose another name."},
	"IDEMPOTENCY_KEY_REUSED": {"This was sent already, with something else in it", "Look whether it was done. Open the page again before you try once more."},
	"RATE_LIMITED":           {"That was very fast", "Please wait a moment, and try again."},
	"OVERLOADED":             {"Many people are here at the moment", "Please try again in a moment."},
	"UNAVAILABLE":            {"We can't do this at the moment", "A part of our shop is away. Please try again in a moment; nothing is done twice."},
	"DEADLINE_EXCEEDED":      {"This took too long", "It may have been done or not. Please look again in a moment."},

	"BAD_CREDENTIALS":    {"E-mail and password don't belong together", "Please check both."},
	"MAIL_TOKEN_INVALID": {"This link has expired or was used", "Ask for another mail."},
	"TOO_MANY_ATTEMPTS":  {"Too many tries", "Please wait a while before you try again. If you have forgotten your password, reset it."},
	"ADDRESS_NOT_FOUND":  {"There is no such address", "It may have been deleted."},
	"TOO_MANY_ADDRESSES": {"You keep 20 addresses already", "Delete one first."},

	"PRODUCT_NOT_FOUND":     {"We don't have this product", "It may have gone out of our range."},
	"STORE_NOT_FOUND":       {"There is no such store", "Please choose another one."},
	"CATEGORY_NOT_FOUND":    {"There is no such aisle", "It may have been moved."},
	"BRAND_NOT_FOUND":       {"There is no such brand", "It may have gone out of our range."},
	"CATALOGUE_FULL":        {"The catalogue is full here", "Remove one first."},
	"CATEGORY_CYCLE":        {"A category can't be below itself", "Choose another parent."},
	"IN_USE":                {"It is still in use", "Move or delete what refers to it first."},
	"DEAD_LETTER_NOT_FOUND": {"There is no such dead letter", "It may have been replayed and gone, or be of another topic."},
	"IMPORT_NOT_FOUND":      {"There is no such import", "It may have ended more than 30 days ago."},
	"IMPORT_CONFLICT":       {"Another request brings this import on", "Wait for that one."},

	"CART_NOT_FOUND":   {"Your basket has gone", "Baskets are kept for some days. Please start a new one."},
	"CART_FULL":        {"Your basket is full", "It holds at most 100 different products."},
	"CART_TOO_LARGE":   {"That is more than one order may cost", "Please buy in parts."},
	"ITEM_NOT_FOUND":   {"This isn't in your basket any more", "You may have taken it out in another window."},
	"PRODUCT_NOT_SOLD": {"Your store doesn't sell this", "Take it out, or choose another store."},

	"CART_EMPTY":         {"Your basket is empty", "Put something in before you check out."},
	"STORE_MISMATCH":     {"Your basket is for another store", "Please look at it again."},
	"PRICE_CHANGED":      {"Prices have changed", "Please look at the new total before you order."},
	"OUT_OF_STOCK":       {"Something has just sold out", "There isn't enough left of what is marked."},
	"LIMIT_EXCEEDED":     {"That is more than one person may buy in a day", "Please take less of what is marked."},
	"PAYMENT_DECLINED":   {"Your card was declined", "Nothing was charged. Please use another card."},
	"CHECKOUT_EXPIRED":   {"This order wasn't finished in time", "Nothing was charged. Please order again."},
	"CHECKOUT_NOT_FOUND": {"There is no such checkout", "It may be of another account."},
	"STOCK_REBUILDING":   {"The store is counting its stock", "This takes some seconds. Please try again in a moment."},
	"STOCK_UNDERFLOW":    {"There isn't as much to take away", "Some of it is promised to orders."},
	"SLOT_UNAVAILABLE":   {"This delivery time has just gone", "Please choose another one."},

	"ORDER_NOT_FOUND":        {"There is no such order", "It may be of another account."},
	"ORDER_STATE_CONFLICT":   {"The order has moved on", "It is too late for this. Look at the order again."},
	"REFUND_TOO_LARGE":       {"That is more than can be given back", "Look at what was captured and refunded already."},
	"NOTHING_TO_REFUND":      {"There is nothing to give back", "Nothing was captured, or all of it was refunded."},
	"REFUND_REFUSED":         {"The payment provider refused the refund", "No money went back. Look at the payment there before you try again."},
	"PRICE_NOT_PLANNABLE":    {"Another price begins at the same time", "Choose another time, or the same price."},
	"PRICE_NOT_FOUND":        {"No price begins then", "It may have been deleted."},
	"PRICE_BEGUN":            {"The price has begun", "It stays on record. Plan another one."},
	"PAYMENT_PROCESSING":     {"The payment is still being worked on", "Please try again in a moment."},
	"INTENT_NOT_FOUND":       {"The payment provider knows no such payment", "Look at it there."},
	"PAYMENT_NOT_CAPTURABLE": {"The payment can't be captured", "It isn't authorised, or its authorisation has ended."},
	"PAYMENT_STATE_CONFLICT": {"The payment has moved on", "Look at it again."},
}

// noSuchPage is what an address is told that leads nowhere.
var noSuchPage = sentence{"There is no such page", "The address may be old or mistyped."}

// general is for whatever has no words of its own.
var general = sentence{"Something went wrong here", "It isn't your fault. Please try again in a moment."}

// unmarked is said of an INVALID_ARGUMENT where no form is shown again, with its fields marked.
const unmarked = "Please go back, and look at what you typed."

// fieldWords by the last name of a field.
var fieldWords = map[string]string{
	"email": "Please give an e-mail address, such as name@example.com.", "password": "Please choose 10 to 128 characters.",
	"display_name": "At most 100 characters.",
	"recipient":    "Please say who receives it.", "line1": "Please give street and number.", "line2": "At most 200 characters.",
	"city": "Please give the town.", "postcode": "Please give a postcode, such as W1D 3QF.", "country": "Please choose a country.",
	"phone": "Please give it with its country code, such as +447700900123.", "payment_method": "Please choose a card.",
	"quantity": "Please choose 1 to 99.", "reason": "Please say why, in at most 200 characters.", "delivery_slot_id": "Please choose a time.",
}

// Explain puts an error into words. A *Trouble stays as it is.
func Explain(err error) *Trouble {
	if t := new(Trouble); errors.As(err, &t) {
		return t
	}
	trouble := &Trouble{Status: http.StatusInternalServerError, Title: general.title, Text: general.text}
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		trouble.Status = http.StatusRequestEntityTooLarge
		trouble.say(sentences["REQUEST_TOO_LARGE"])
		return trouble
	}
	refusal := new(client.Error)
	if !errors.As(err, &refusal) {
		if client.Unanswered(err) {
			trouble.Status = http.StatusServiceUnavailable
			trouble.say(sentences["UNAVAILABLE"])
		}
		return trouble
	}
	trouble.Status, trouble.Reason = refusal.Status, refusal.Reason
	trouble.RequestID, trouble.RetryAfter = refusal.RequestID, refusal.RetryAfter
	if trouble.Status < 400 || trouble.Status > 599 || trouble.Status == 499 {
		trouble.Status = http.StatusBadGateway
	}
	if words, ok := sentences[refusal.Reason]; ok {
		trouble.say(words)
	}
	for _, violation := range refusal.Violations {
		if trouble.Fields == nil {
			trouble.Fields = map[string]string{}
		}
		name := violation.Field[strings.LastIndexByte(violation.Field, '.')+1:]
		words, ok := fieldWords[name]
		if !ok {
			words = "Please check this."
		}
		trouble.Fields[name] = words
	}
	return trouble
}

// Again is what a form that couldn't be done shows, to be filled in once more; an error is nothing that another try of the form mends.
func Again(err error) (*Trouble, error) {
	trouble := Explain(err)
	if trouble.Status >= http.StatusInternalServerError {
		return nil, err
	}
	return trouble, nil
}

func (t *Trouble) say(words sentence) { t.Title, t.Text = words.title, words.text }
