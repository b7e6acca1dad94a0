package fault

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// Reason is a stable cause of failure: its name is part of the API and never changes its meaning.
type Reason struct {
	Name string
	Code codes.Code
	// HTTP is the status on REST.
	HTTP int
	// Internal reasons tell of our own faults: a service doesn't pass on another's, it wraps them.
	Internal bool
	// Help says what happened and what the caller can do; docs/errors.md is made of it.
	Help string
}

var byName = map[string]Reason{}

// All returns every reason by name.
func All() map[string]Reason { return byName }

func define(name string, code codes.Code, httpStatus int, help string) Reason {
	reason := Reason{Name: name, Code: code, HTTP: httpStatus, Help: help}
	byName[name] = reason
	return reason
}

func internal(name string, code codes.Code, httpStatus int, help string) Reason {
	reason := Reason{Name: name, Code: code, HTTP: httpStatus, Help: help, Internal: true}
	byName[name] = reason
	return reason
}

// Of any room.
var (
	InvalidArgument = define("INVALID_ARGUMENT", codes.InvalidArgument, http.StatusBadRequest,
		"A field is missing, malformed or out of range; the violations name it. Mend the request.")
	InvalidPageToken = define("INVALID_PAGE_TOKEN", codes.InvalidArgument, http.StatusBadRequest,
		"The page token is not one that this list gave for this query. Start again from the first page.")
	RequestTooLarge = define("REQUEST_TOO_LARGE", codes.InvalidArgument, http.StatusRequestEntityTooLarge,
		"The body is larger than is read. Send less.")
	UnsupportedMediaType = define("UNSUPPORTED_MEDIA_TYPE", codes.InvalidArgument, http.StatusUnsupportedMediaType,
		"The body is not of the content type that this method reads. Send application/json; for an import, application/x-ndjson or text/csv.")
	RouteNotFound = define("ROUTE_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"There is no such path. Look at /openapi.yaml.")
	MethodNotAllowed = define("METHOD_NOT_ALLOWED", codes.Unimplemented, http.StatusMethodNotAllowed,
		"The path exists, but not for this HTTP method.")
	Unauthenticated = define("UNAUTHENTICATED", codes.Unauthenticated, http.StatusUnauthorized,
		"No token, or one that is malformed or not ours. Sign in.")
	TokenExpired = define("TOKEN_EXPIRED", codes.Unauthenticated, http.StatusUnauthorized,
		"The access token is past its time. Refresh the session.")
	PermissionDenied = define("PERMISSION_DENIED", codes.PermissionDenied, http.StatusForbidden,
		"The caller's role doesn't allow this method.")
	EtagMismatch = define("ETAG_MISMATCH", codes.Aborted, http.StatusPreconditionFailed,
		"The resource has changed since it was read. Read it again and decide anew.")
	AlreadyExists = define("ALREADY_EXISTS", codes.AlreadyExists, http.StatusConflict,
		"There is a resource of this id or name already.")
	IdempotencyKeyRequired = define("IDEMPOTENCY_KEY_REQUIRED", codes.InvalidArgument, http.StatusBadRequest,
		"The method needs the header Idempotency-Key: 8 to 100 letters, digits, - and _, new for each intention.")
	IdempotencyKeyReused = define("IDEMPOTENCY_KEY_REUSED", codes.InvalidArgument, http.StatusUnprocessableEntity,
		"The Idempotency-Key was used for another request. Take a new key for a new intention.")
	RateLimited = define("RATE_LIMITED", codes.ResourceExhausted, http.StatusTooManyRequests,
		"The caller sends more requests than one may. Try again after Retry-After, and more slowly.")
	Overloaded = define("OVERLOADED", codes.ResourceExhausted, http.StatusTooManyRequests,
		"More requests than can be served. Try again after Retry-After.")
	Unavailable = internal("UNAVAILABLE", codes.Unavailable, http.StatusServiceUnavailable,
		"A part of the platform is away. Try again after Retry-After; unsafe calls with the same Idempotency-Key.")
	DeadlineExceeded = internal("DEADLINE_EXCEEDED", codes.DeadlineExceeded, http.StatusGatewayTimeout,
		"The answer took too long; the outcome is unknown. Try again, unsafe calls with the same Idempotency-Key.")
	Cancelled = internal("CANCELLED", codes.Canceled, 499,
		"The caller went away before the answer.")
	Internal = internal("INTERNAL", codes.Internal, http.StatusInternalServerError,
		"A fault of ours. Report the request id; try again later, unsafe calls with the same Idempotency-Key.")
)

// Of one room.
var (
	BadCredentials = define("BAD_CREDENTIALS", codes.Unauthenticated, http.StatusUnauthorized,
		"E-mail and password don't belong together.")
	RefreshTokenInvalid = define("REFRESH_TOKEN_INVALID", codes.Unauthenticated, http.StatusUnauthorized,
		"The refresh token is unknown, expired or used up, or its session has ended. Sign in.")
	MailTokenInvalid = define("MAIL_TOKEN_INVALID", codes.Unauthenticated, http.StatusUnauthorized,
		"The token is none that a mail has brought for this, or it has expired or was used. Ask for another mail.")
	TooManyAttempts = define("TOO_MANY_ATTEMPTS", codes.ResourceExhausted, http.StatusTooManyRequests,
		"Too many tries to sign in, or too many mails asked for. Try again after Retry-After; who has forgotten a password resets it.")
	AddressNotFound = define("ADDRESS_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"The caller has no such address.")
	TooManyAddresses = define("TOO_MANY_ADDRESSES", codes.FailedPrecondition, http.StatusConflict,
		"An account keeps at most 20 addresses. Delete one.")

	ProductNotFound = define("PRODUCT_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"There is no such product.")
	StoreNotFound = define("STORE_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"There is no such store.")
	CategoryNotFound = define("CATEGORY_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"There is no such category.")
	BrandNotFound = define("BRAND_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"There is no such brand.")
	CatalogueFull = define("CATALOGUE_FULL", codes.FailedPrecondition, http.StatusConflict,
		"There are as many categories, stores, or prices of the product as a list can tell. Remove one first.")
	CategoryCycle = define("CATEGORY_CYCLE", codes.FailedPrecondition, http.StatusConflict,
		"The category would be below itself. Choose another parent, or move that one first.")
	InUse = define("IN_USE", codes.FailedPrecondition, http.StatusConflict,
		"Something still refers to the resource; the message says what. Move or delete that first.")

	ImportNotFound = define("IMPORT_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"There is no such import, or it ended more than 30 days ago.")
	ImportConflict = define("IMPORT_CONFLICT", codes.Aborted, http.StatusConflict,
		"The import stands elsewhere than the part begins: another request brings it on. Wait for that one, or look at the import and send "+
			"the file again with the same key.")

	CartNotFound = define("CART_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"The caller has no such cart. Open one for a store.")
	CartFull = define("CART_FULL", codes.FailedPrecondition, http.StatusConflict,
		"A cart holds at most 100 lines.")
	CartTooLarge = define("CART_TOO_LARGE", codes.FailedPrecondition, http.StatusConflict,
		"The cart would cost more than an order may, 999,999.99. Buy in parts.")
	ItemNotFound = define("ITEM_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"The cart has no such item.")
	ProductNotSold = define("PRODUCT_NOT_SOLD", codes.FailedPrecondition, http.StatusConflict,
		"The store doesn't sell the product. Take it out or choose another store.")

	CartEmpty = define("CART_EMPTY", codes.FailedPrecondition, http.StatusConflict,
		"There is nothing in the cart to buy.")
	StoreMismatch = define("STORE_MISMATCH", codes.FailedPrecondition, http.StatusConflict,
		"The cart is for another store than the checkout.")
	PriceChanged = define("PRICE_CHANGED", codes.FailedPrecondition, http.StatusConflict,
		"Today's total differs from expected_total; the detail has the breakdown. Agree, and send a new key.")
	OutOfStock = define("OUT_OF_STOCK", codes.FailedPrecondition, http.StatusConflict,
		"Not enough is left; the detail lists each product with what is. Change the cart, and send a new key.")
	LimitExceeded = define("LIMIT_EXCEEDED", codes.FailedPrecondition, http.StatusConflict,
		"The shopper may buy only so much of a product in a day; the detail lists each limit with what is left of it, and when the next day "+
			"begins. Change the cart, and send a new key.")
	PaymentDeclined = define("PAYMENT_DECLINED", codes.FailedPrecondition, http.StatusPaymentRequired,
		"The provider refused the payment; the detail has the class. Use another method, and send a new key.")
	CheckoutExpired = define("CHECKOUT_EXPIRED", codes.FailedPrecondition, http.StatusConflict,
		"The checkout wasn't finished in time and was given up; nothing is charged. Send a new key.")
	CheckoutNotFound = define("CHECKOUT_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"The caller has no such checkout.")
	StockUnderflow = define("STOCK_UNDERFLOW", codes.FailedPrecondition, http.StatusConflict,
		"The adjustment would take more than may still be promised.")
	StockRebuilding = define("STOCK_REBUILDING", codes.Unavailable, http.StatusServiceUnavailable,
		"The store's stock is being loaded anew; this takes seconds. Try again after Retry-After with the same key.")

	OrderNotFound = define("ORDER_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"The caller has no such order.")
	OrderStateConflict = define("ORDER_STATE_CONFLICT", codes.FailedPrecondition, http.StatusConflict,
		"The order's state doesn't allow the step, or not by this caller, or not before the payment is captured. Read the order again.")
	SlotUnavailable = define("SLOT_UNAVAILABLE", codes.FailedPrecondition, http.StatusConflict,
		"The delivery slot is full, over or unknown; the detail lists the next free ones. Choose another, and send a new key.")
	RefundTooLarge = define("REFUND_TOO_LARGE", codes.FailedPrecondition, http.StatusConflict,
		"The refund would give back more than was captured and not yet refunded, or more units of a line than were bought.")
	NothingToRefund = define("NOTHING_TO_REFUND", codes.FailedPrecondition, http.StatusConflict,
		"Nothing of the order's money was captured, or all of it is refunded.")
	RefundRefused = define("REFUND_REFUSED", codes.FailedPrecondition, http.StatusConflict,
		"The payment provider refused the refund for good; no money went back. Look at the payment there; a new try takes a new key.")
	PriceNotPlannable = define("PRICE_NOT_PLANNABLE", codes.FailedPrecondition, http.StatusConflict,
		"Another price of the product begins at the same time. Choose another time, or the same price.")
	PriceNotFound = define("PRICE_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"No price of the product begins then in that store.")
	PriceBegun = define("PRICE_BEGUN", codes.FailedPrecondition, http.StatusConflict,
		"The price has begun, and stays on record. Change the product's price, or plan another one.")
	PaymentProcessing = define("PAYMENT_PROCESSING", codes.FailedPrecondition, http.StatusConflict,
		"The provider is still at work on the payment. Try again later.")
	IntentNotFound = define("INTENT_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"The provider knows no such payment.")
	PaymentNotCapturable = define("PAYMENT_NOT_CAPTURABLE", codes.FailedPrecondition, http.StatusConflict,
		"The payment is not authorised, or its authorisation has ended.")
	PaymentStateConflict = define("PAYMENT_STATE_CONFLICT", codes.FailedPrecondition, http.StatusConflict,
		"The payment's state doesn't allow the step, or not by this caller. Read the payment again.")
	DeadLetterNotFound = define("DEAD_LETTER_NOT_FOUND", codes.NotFound, http.StatusNotFound,
		"The topic has no such dead letter: it was replayed or is too old, or somebody else is looking at it. List the topic's again within a minute.")
	WebhookSignatureInvalid = define("WEBHOOK_SIGNATURE_INVALID", codes.InvalidArgument, http.StatusBadRequest,
		"The webhook's signature is missing, malformed, or not of this body by a secret that is in use. Check the endpoint's signing secret.")
	WebhookTooOld = define("WEBHOOK_TOO_OLD", codes.InvalidArgument, http.StatusBadRequest,
		"The webhook was signed more than five minutes before or after now. Check the sender's clock; one that is sent again is signed anew.")
)
