package test

import (
	"fmt"
	"strings"
)

// unknownID is of the right form and nobody's.
const unknownID = "00000000-0000-4000-8000-000000000000"

func (w *world) userRows() []row {
	create := func(what, body, want string) row {
		return row{rpc: "UserService.CreateUser", what: what, request: "POST /v1/users", body: body, want: want}
	}
	session := func(what, body, want string) row {
		return row{rpc: "UserService.CreateSession", what: what, request: "POST /v1/sessions", body: body, want: want}
	}
	refresh := func(what, body, want string) row {
		return row{rpc: "UserService.RefreshSession", what: what, request: "POST /v1/sessions:refresh", body: body, want: want}
	}
	verify := func(what, body, want string) row {
		return row{rpc: "UserService.VerifyEmail", what: what, request: "POST /v1/users:verifyEmail", body: body, want: want}
	}
	wanted := func(what, body, want string) row {
		return row{rpc: "UserService.RequestPasswordReset", what: what, request: "POST /v1/users:requestPasswordReset", body: body, want: want}
	}
	reset := func(what, body, want string) row {
		return row{rpc: "UserService.ResetPassword", what: what, request: "POST /v1/users:resetPassword", body: body, want: want}
	}
	update := func(what, request, body, want string) row {
		return row{rpc: "UserService.UpdateUser", what: what, as: "shopper", request: "PATCH /v1/users/me" + request, body: body, want: want}
	}
	account := func(email, password, name string) string {
		return fmt.Sprintf(`{"email":%s,"password":%s,"display_name":%s}`, email, password, name)
	}
	const secret, name = `"correct-horse"`, `"N"`
	email := `"` + w.nobody + `"`
	return []row{
		create("nothing", `{}`, "400 INVALID_ARGUMENT email,password"),
		create("an empty body", ``, "400 INVALID_ARGUMENT email,password"),
		create("no address", account(`"nobody"`, secret, name), "400 INVALID_ARGUMENT email"),
		create("two addresses", account(`"a@example.com,b@example.com"`, secret, name), "400 INVALID_ARGUMENT email"),
		create("a header in the address", account(`"a@example.com\r\nBcc: b@example.com"`, secret, name), "400 INVALID_ARGUMENT email"),
		create("an address too long", account(`"`+strings.Repeat("a", 250)+`@example.com"`, secret, name), "400 INVALID_ARGUMENT email"),
		create("a number for an address", account(`1`, secret, name), "400 INVALID_ARGUMENT email"),
		create("a list for an address", account(`["a@example.com"]`, secret, name), "400 INVALID_ARGUMENT email"),
		create("an object for an address", account(`{"$ne":""}`, secret, name), "400 INVALID_ARGUMENT email"),
		create("null for an address", account(`null`, secret, name), "400 INVALID_ARGUMENT email"),
		create("a short password", account(email, `"short"`, name), "400 INVALID_ARGUMENT password"),
		create("a long password", account(email, `"`+strings.Repeat("x", 129)+`"`, name), "400 INVALID_ARGUMENT password"),
		create("NUL in the password", account(email, `"correct\u0000horse"`, name), "400 INVALID_ARGUMENT password"),
		create("half a surrogate pair in the name", account(email, secret, `"\ud800"`), "400 INVALID_ARGUMENT body"),
		create("NUL in the name", account(email, secret, `"N\u0000"`), "400 INVALID_ARGUMENT display_name"),
		create("a name too long", account(email, secret, `"`+strings.Repeat("x", 101)+`"`), "400 INVALID_ARGUMENT display_name"),
		create("roles of one's own", `{"email":"`+w.nobody+`","password":"correct-horse","roles":["operator"]}`, "400 INVALID_ARGUMENT roles"),
		create("an id of one's own", `{"email":"`+w.nobody+`","password":"correct-horse","user_id":"`+w.other.id+`"}`, "400 INVALID_ARGUMENT user_id"),
		create("a field twice", `{"email":"`+w.nobody+`","email":"`+w.nobody+`","password":"correct-horse"}`, "400 INVALID_ARGUMENT email"),

		verify("nothing", `{}`, "400 INVALID_ARGUMENT password,token"),
		verify("rubbish", `{"token":"rubbish","password":"correct-horse"}`, "401 MAIL_TOKEN_INVALID"),
		verify("an access token", `{"token":"`+w.tokens["shopper"][:200]+`","password":"correct-horse"}`, "401 MAIL_TOKEN_INVALID"),
		verify("SQL", `{"token":"' or 1=1 --","password":"correct-horse"}`, "401 MAIL_TOKEN_INVALID"),
		verify("too long", `{"token":"`+strings.Repeat("x", 257)+`","password":"correct-horse"}`, "400 INVALID_ARGUMENT token"),
		wanted("nothing", `{}`, "400 INVALID_ARGUMENT email"),
		wanted("no address", `{"email":"nobody"}`, "400 INVALID_ARGUMENT email"),
		wanted("two addresses", `{"email":"a@example.com,b@example.com"}`, "400 INVALID_ARGUMENT email"),
		wanted("a header in the address", `{"email":"a@example.com\r\nBcc: b@example.com"}`, "400 INVALID_ARGUMENT email"),
		wanted("a list for an address", `{"email":["a@example.com"]}`, "400 INVALID_ARGUMENT email"),
		reset("nothing", `{}`, "400 INVALID_ARGUMENT password,token"),
		reset("rubbish", `{"token":"rubbish","password":"correct-horse"}`, "401 MAIL_TOKEN_INVALID"),
		reset("SQL", `{"token":"' or 1=1 --","password":"correct-horse"}`, "401 MAIL_TOKEN_INVALID"),
		reset("a short password", `{"token":"rubbish","password":"short"}`, "400 INVALID_ARGUMENT password"),
		reset("an id of one's own", `{"token":"rubbish","password":"correct-horse","user_id":"`+w.other.id+`"}`, "400 INVALID_ARGUMENT user_id"),
		{rpc: "UserService.RequestEmailVerification", what: "for another address", as: "shopper", request: "POST /v1/users/me:requestEmailVerification", body: `{"email":"` + w.nobody + `"}`, want: "400 INVALID_ARGUMENT email"},
		{rpc: "UserService.RequestEmailVerification", what: "for another", as: "shopper", request: "POST /v1/users/" + w.other.id + ":requestEmailVerification", body: `{}`, want: "404 ROUTE_NOT_FOUND"},
		{rpc: "UserService.ExportUser", what: "another's", as: "shopper", request: "GET /v1/users/" + w.other.id + ":export", want: "404 ROUTE_NOT_FOUND"},
		{rpc: "UserService.ExportUser", what: "another's as a parameter", as: "shopper", request: "GET /v1/users/me:export?user_id=" + w.other.id, want: "400 INVALID_ARGUMENT user_id"},
		{rpc: "UserService.DeleteUser", what: "another", as: "shopper", request: "DELETE /v1/users/" + w.other.id, want: "404 ROUTE_NOT_FOUND"},
		{rpc: "UserService.DeleteUser", what: "another as a parameter", as: "shopper", request: "DELETE /v1/users/me?user_id=" + w.other.id, want: "400 INVALID_ARGUMENT user_id"},
		{rpc: "UserService.DeleteSessions", what: "another's", as: "shopper", request: "DELETE /v1/sessions?user_id=" + w.other.id, want: "400 INVALID_ARGUMENT user_id"},

		session("nothing", `{}`, "400 INVALID_ARGUMENT email,password"),
		session("an unknown address", `{"email":"`+w.nobody+`","password":"correct-horse"}`, "401 BAD_CREDENTIALS"),
		session("a wrong password", `{"email":"`+w.other.email+`","password":"correct-horse"}`, "401 BAD_CREDENTIALS"),
		session("SQL for an address", `{"email":"' or 1=1; drop table users.accounts; --","password":"x"}`, "401 BAD_CREDENTIALS"),
		session("SQL for a password", `{"email":"`+w.other.email+`","password":"' or '1'='1"}`, "401 BAD_CREDENTIALS"),
		session("an object for a password", `{"email":"`+w.other.email+`","password":{"$gt":""}}`, "400 INVALID_ARGUMENT password"),
		session("true for a password", `{"email":"`+w.other.email+`","password":true}`, "400 INVALID_ARGUMENT password"),
		session("NUL in the address", `{"email":"a\u0000@example.com","password":"correct-horse"}`, "400 INVALID_ARGUMENT email"),
		session("a long password", `{"email":"`+w.other.email+`","password":"`+strings.Repeat("x", 100000)+`"}`, "400 INVALID_ARGUMENT password"),

		refresh("nothing", `{}`, "400 INVALID_ARGUMENT refresh_token"),
		refresh("rubbish", `{"refresh_token":"rubbish"}`, "401 REFRESH_TOKEN_INVALID"),
		refresh("an access token", `{"refresh_token":"`+w.tokens["shopper"][:200]+`"}`, "401 REFRESH_TOKEN_INVALID"),
		refresh("too long", `{"refresh_token":"`+strings.Repeat("x", 257)+`"}`, "400 INVALID_ARGUMENT refresh_token"),
		refresh("SQL", `{"refresh_token":"' or 1=1 --"}`, "401 REFRESH_TOKEN_INVALID"),
		refresh("a number", `{"refresh_token":1}`, "400 INVALID_ARGUMENT refresh_token"),

		update("roles", "?update_mask=roles", `{"roles":["operator"]}`, "400 INVALID_ARGUMENT update_mask"),
		update("roles without a mask", "", `{"roles":["operator"]}`, "400 INVALID_ARGUMENT update_mask"),
		update("another's id", "", `{"user_id":"`+w.other.id+`","display_name":"x"}`, "400 INVALID_ARGUMENT update_mask"),
		update("an unknown field in the mask", "?update_mask=password", `{"display_name":"x"}`, "400 INVALID_ARGUMENT update_mask"),
		update("an odd mask", "?update_mask=..%2C,", `{"display_name":"x"}`, "400 INVALID_ARGUMENT update_mask"),
		update("a name too long", "", `{"display_name":"`+strings.Repeat("é", 101)+`"}`, "400 INVALID_ARGUMENT user.display_name"),
		update("a number for a name", "", `{"display_name":1}`, "400 INVALID_ARGUMENT display_name"),
		update("NUL in the name", "", `{"display_name":"\u0000"}`, "400 INVALID_ARGUMENT user.display_name"),
		update("an old etag", "", `{"display_name":"x","etag":"4711"}`, "412 ETAG_MISMATCH"),
		update("a made-up etag", "", `{"display_name":"x","etag":"' or 1=1"}`, "412 ETAG_MISMATCH"),
		{rpc: "UserService.UpdateUser", what: "HTML is data", as: "idle", request: "PATCH /v1/users/me", body: `{"display_name":"<script>alert('\"')</script>"}`, want: "200"},
		{rpc: "UserService.UpdateUser", what: "SQL is data", as: "idle", request: "PATCH /v1/users/me", body: `{"display_name":"'); drop table users.accounts; --"}`, want: "200"},

		{rpc: "UserService.GetUser", what: "another's id", as: "shopper", request: "GET /v1/users/" + w.other.id, want: "404 ROUTE_NOT_FOUND"},
		{rpc: "UserService.GetUser", what: "another's id as a parameter", as: "shopper", request: "GET /v1/users/me?user_id=" + w.other.id, want: "400 INVALID_ARGUMENT user_id"},
		{rpc: "UserService.DeleteSession", what: "another session", as: "shopper", request: "DELETE /v1/sessions/" + unknownID, want: "404 ROUTE_NOT_FOUND"},
		{rpc: "UserService.DeleteSession", what: "another's session as a parameter", as: "shopper", request: "DELETE /v1/sessions/current?session_id=" + unknownID, want: "400 INVALID_ARGUMENT session_id"},
		{rpc: "UserService.GetJwks", what: "a key's id", request: "GET /.well-known/jwks.json?kid=../../x", want: "400 INVALID_ARGUMENT kid"},
		{rpc: "UserService.GetJwks", what: "another well-known file", request: "GET /.well-known/openid-configuration", want: "404 ROUTE_NOT_FOUND"},
		{rpc: "UserService.GetJwks", what: "a key of one's own", request: "POST /.well-known/jwks.json", body: `{"keys":[]}`, want: "405 METHOD_NOT_ALLOWED"},
	}
}

func (w *world) addressRows() []row {
	const list = "/v1/users/me/addresses"
	one := func(id string) string { return list + "/" + id }
	create := func(what, body, want string) row {
		return row{rpc: "UserService.CreateAddress", what: what, as: "shopper", request: "POST " + list, body: body, want: want}
	}
	// changed is a good address with one member's value replaced.
	changed := func(member, value string) string {
		begin := strings.Index(delivery, `"`+member+`":`)
		if begin < 0 {
			return strings.TrimSuffix(delivery, "}") + fmt.Sprintf(`,%q:%s}`, member, value)
		}
		begin += len(member) + 3
		end := begin + 1 + strings.IndexByte(delivery[begin+1:], '"') + 1
		return delivery[:begin] + value + delivery[end:]
	}
	rows := []row{
		create("nothing", `{}`, "400 INVALID_ARGUMENT address.city,address.country,address.line1,address.postcode,address.recipient"),
		create("an empty body", ``, "400 INVALID_ARGUMENT address.city,address.country,address.line1,address.postcode,address.recipient"),
		create("no recipient", changed("recipient", `""`), "400 INVALID_ARGUMENT address.recipient"),
		create("a recipient too long", changed("recipient", `"`+strings.Repeat("x", 101)+`"`), "400 INVALID_ARGUMENT address.recipient"),
		create("a number for a recipient", changed("recipient", `1`), "400 INVALID_ARGUMENT recipient"),
		create("NUL in a line", changed("line1", `"a\u0000b"`), "400 INVALID_ARGUMENT address.line1"),
		create("an escape sequence", changed("line1", `"\u001b[2J"`), "400 INVALID_ARGUMENT address.line1"),
		create("a line too long", changed("line2", `"`+strings.Repeat("x", 201)+`"`), "400 INVALID_ARGUMENT address.line2"),
		create("a list for a city", changed("city", `[]`), "400 INVALID_ARGUMENT city"),
		create("null for a city", changed("city", `null`), "400 INVALID_ARGUMENT address.city"),
		create("a postcode too long", changed("postcode", `"SW1Y 4LE SW1Y 4LE"`), "400 INVALID_ARGUMENT address.postcode"),
		create("a country's name", changed("country", `"England"`), "400 INVALID_ARGUMENT address.country"),
		create("a country in small letters", changed("country", `"gb"`), "400 INVALID_ARGUMENT address.country"),
		create("a telephone number with words", changed("phone", `"call me"`), "400 INVALID_ARGUMENT address.phone"),
		create("another's user id", changed("user_id", `"`+w.other.id+`"`), "400 INVALID_ARGUMENT user_id"),
		{rpc: "UserService.CreateAddress", what: "SQL and HTML are data", as: "idle", request: "POST " + list, body: changed("line1", `"'; drop table users.addresses; -- <b>"`), want: "200"},
		{rpc: "UserService.ListAddresses", what: "another's", as: "shopper", request: "GET " + list + "?user_id=" + w.other.id, want: "400 INVALID_ARGUMENT user_id"},
		{rpc: "UserService.ListAddresses", what: "under another's id", as: "shopper", request: "GET /v1/users/" + w.other.id + "/addresses", want: "404 ROUTE_NOT_FOUND"},
	}
	for rpc, verb := range map[string]string{"UserService.GetAddress": "GET", "UserService.UpdateAddress": "PUT", "UserService.DeleteAddress": "DELETE"} {
		body := map[string]string{"PUT": delivery}[verb]
		try := func(what, id, want string) {
			rows = append(rows, row{rpc: rpc, what: what, as: "shopper", request: verb + " " + one(id), body: body, want: want})
		}
		try("another's", w.other.address, "404 ADDRESS_NOT_FOUND")
		try("unknown", unknownID, "404 ADDRESS_NOT_FOUND")
		try("no UUID", "1", "400 INVALID_ARGUMENT address_id")
		try("SQL for an id", "%27%20or%201%3D1%20--", "400 INVALID_ARGUMENT address_id")
		try("NUL in the id", "%00", "400 INVALID_ARGUMENT address_id")
		try("broken UTF-8 for an id", "%ff%fe", "400 INVALID_ARGUMENT address_id")
		try("a long id", strings.Repeat("x", 10000), "400 INVALID_ARGUMENT address_id")
		try("a slash in the id", w.shopper.address+"%2F..", "404 ROUTE_NOT_FOUND")
	}
	return append(rows,
		row{rpc: "UserService.UpdateAddress", what: "nothing", as: "shopper", request: "PUT " + one(w.shopper.address), body: `{}`, want: "400 INVALID_ARGUMENT address.city,address.country,address.line1,address.postcode,address.recipient"},
		row{rpc: "UserService.UpdateAddress", what: "another id in the body", as: "shopper", request: "PUT " + one(w.shopper.address), body: changed("address_id", `"`+w.other.address+`"`), want: "400 INVALID_ARGUMENT address_id"},
	)
}
