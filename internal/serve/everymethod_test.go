package serve_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"larder.dev/internal/contract"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// admitted says once more, apart from the protos, who may call what: a rule that is changed there by mistake disagrees with it. "anyone"
// needs no token; a "shopper" is any signed-in person; other words are roles, and names of services and functions. A method that isn't here
// fails the test, and so does one that is here only.
var admitted = map[string]string{
	"user.UserService/CreateUser":               "anyone",
	"user.UserService/GetUser":                  "shopper",
	"user.UserService/UpdateUser":               "shopper",
	"user.UserService/VerifyEmail":              "anyone",
	"user.UserService/RequestEmailVerification": "shopper",
	"user.UserService/RequestPasswordReset":     "anyone",
	"user.UserService/ResetPassword":            "anyone",
	"user.UserService/ExportUser":               "shopper",
	"user.UserService/DeleteUser":               "shopper",
	"user.UserService/CreateSession":            "anyone",
	"user.UserService/RefreshSession":           "anyone",
	"user.UserService/DeleteSession":            "shopper",
	"user.UserService/DeleteSessions":           "shopper",
	"user.UserService/CreateAddress":            "shopper",
	"user.UserService/GetAddress":               "shopper",
	"user.UserService/ListAddresses":            "shopper",
	"user.UserService/UpdateAddress":            "shopper",
	"user.UserService/DeleteAddress":            "shopper",
	"user.UserService/GetJwks":                  "anyone",
	"user.UserService/BeginNotice":              "notifyshopper",
	"user.UserService/EndNotice":                "notifyshopper",
	"user.UserService/ReapAccounts":             "reapaccounts",

	"product.ProductService/GetProduct":         "anyone",
	"product.ProductService/ListProducts":       "anyone",
	"product.ProductService/BatchGetOffers":     "cart checkout",
	"product.ProductService/CreateProduct":      "merchandiser",
	"product.ProductService/UpdateProduct":      "merchandiser",
	"product.ProductService/DeleteProduct":      "merchandiser",
	"product.ProductService/ImportProducts":     "merchandiser",
	"product.ProductService/ImportPart":         "merchandiser",
	"product.ProductService/GetImport":          "merchandiser",
	"product.ProductService/ListBrands":         "anyone",
	"product.ProductService/GetBrand":           "anyone",
	"product.ProductService/CreateBrand":        "merchandiser",
	"product.ProductService/UpdateBrand":        "merchandiser",
	"product.ProductService/DeleteBrand":        "merchandiser",
	"product.ProductService/ListCategories":     "anyone",
	"product.ProductService/GetCategory":        "anyone",
	"product.ProductService/CreateCategory":     "merchandiser",
	"product.ProductService/UpdateCategory":     "merchandiser",
	"product.ProductService/DeleteCategory":     "merchandiser",
	"product.ProductService/ListStores":         "anyone",
	"product.ProductService/GetStore":           "anyone",
	"product.ProductService/CreateStore":        "merchandiser operator",
	"product.ProductService/UpdateStore":        "merchandiser operator",
	"product.ProductService/DeleteStore":        "merchandiser operator",
	"product.ProductService/UpdateAvailability": "updateavailability",
	"product.ProductService/PlanPrice":          "merchandiser",
	"product.ProductService/ListPrices":         "merchandiser",
	"product.ProductService/DeletePrice":        "merchandiser",
	"product.ProductService/ActivatePrices":     "activateprices",
	"product.ProductService/UpdatePopularity":   "updatepopularity",
	"product.ProductService/AuditIndex":         "merchandiser operator auditindex",
	"product.ProductService/ListChanges":        "merchandiser operator",
	"product.ProductService/RecordIndexAudit":   "auditindex",
	"product.ProductService/ListImports":        "operator",
	"product.ProductService/ListIndexAudits":    "merchandiser operator",

	"outbox.OutboxService/GetOutbox":        "operator",
	"outbox.OutboxService/ListDeadLetters":  "operator",
	"outbox.OutboxService/GetDeadLetter":    "operator",
	"outbox.OutboxService/ReplayDeadLetter": "operator",
	"outbox.OutboxService/ListReplays":      "operator",

	"search.SearchService/Search":          "anyone",
	"search.SearchService/Suggest":         "anyone",
	"search.SearchService/ListDocuments":   "product",
	"search.SearchService/ListGenerations": "operator",

	"cart.CartService/CreateCart": "anyone",
	"cart.CartService/GetCart":    "anyone",
	"cart.CartService/PutItem":    "anyone",
	"cart.CartService/DeleteItem": "anyone",
	"cart.CartService/MergeCart":  "shopper",
	"cart.CartService/ClearCart":  "checkout clearcart",
	"cart.CartService/ForgetCart": "forgetuser",

	"checkout.CheckoutService/CreateCheckout":     "shopper",
	"checkout.CheckoutService/GetCheckout":        "shopper",
	"checkout.CheckoutService/ListCheckouts":      "operator",
	"checkout.CheckoutService/ResumeCheckout":     "applypaymentevent",
	"checkout.CheckoutService/ReapCheckouts":      "reapcheckouts",
	"checkout.CheckoutService/ReconcileCheckouts": "reconcilepayments",
	"checkout.CheckoutService/CancelOrder":        "order",
	"checkout.CheckoutService/PackOrder":          "order",

	"stock.StockService/GetStock":          "operator",
	"stock.StockService/ListStock":         "operator",
	"stock.StockService/AdjustStock":       "operator adjuststock",
	"stock.StockService/RebuildStock":      "operator",
	"stock.StockService/ListStockEntries":  "operator",
	"stock.StockService/ReconcileStock":    "operator reconcilestock",
	"stock.StockService/GetStockStatus":    "operator",
	"stock.StockService/ListStockedStores": "foldledger reapcheckouts reconcilestock updatepopularity",
	"stock.StockService/ApplyStockEntry":   "applystock",
	"stock.StockService/FoldLedger":        "foldledger",
	"stock.StockService/SummarizeSales":    "updatepopularity",
	"stock.StockService/PutSlot":           "operator",
	"stock.StockService/ListSlots":         "anyone",

	"order.OrderService/GetOrder":        "shopper",
	"order.OrderService/ListOrders":      "shopper",
	"order.OrderService/ListStoreOrders": "operator",
	"order.OrderService/CountOrders":     "operator",
	"order.OrderService/GetOrderHistory": "operator",
	"order.OrderService/WatchOrder":      "shopper",
	"order.OrderService/CancelOrder":     "shopper",
	"order.OrderService/PickOrder":       "operator",
	"order.OrderService/PackOrder":       "operator",
	"order.OrderService/DispatchOrder":   "operator",
	"order.OrderService/DeliverOrder":    "operator",
	"order.OrderService/RefundOrder":     "operator",
	"order.OrderService/ForgetUser":      "forgetuser",
	"order.OrderService/ForgetOrder":     "forgetuser",

	"payment.PaymentService/CreateIntent":       "checkout",
	"payment.PaymentService/ConfirmIntent":      "checkout",
	"payment.PaymentService/GetIntent":          "checkout",
	"payment.PaymentService/CapturePayment":     "operator capturepayment checkout",
	"payment.PaymentService/VoidPayment":        "checkout voidpayment",
	"payment.PaymentService/RefundPayment":      "order",
	"payment.PaymentService/FinishRefunds":      "reconcilepayments",
	"payment.PaymentService/GetPayment":         "operator",
	"payment.PaymentService/ApplyProviderEvent": "applypaymentevent",
	"payment.PaymentService/ListPayments":       "operator",
	"payment.PaymentService/GetProvider":        "operator",
	"payment.PaymentService/AuditPayments":      "operator reconcilepayments",
}

// caller is somebody who calls: what they send, and the words of admitted that let them in.
type caller struct {
	name    string
	headers map[string]string
	is      []string
}

// everyCaller is every kind of caller that there is: people of each role, and each service and function by the name of its folder.
func everyCaller(t *testing.T, issuer *servetest.Issuer) []caller {
	t.Helper()
	person := func(roles ...string) map[string]string {
		return bearer(issuer.Token(t, identity.Caller{UserID: ada, SessionID: "s", Roles: roles}, time.Minute))
	}
	shopper := person(identity.RoleShopper)
	callers := []caller{
		{"nobody", nil, []string{"anyone"}}, // a guest sends nothing either
		{"a shopper", shopper, []string{"anyone", "shopper"}},
		{"a merchandiser", person(identity.RoleMerchandiser), []string{"anyone", "shopper", "merchandiser"}},
		{"an operator", person(identity.RoleOperator), []string{"anyone", "shopper", "operator"}},
		{"somebody with a service's name for a role", person("checkout", "forgetuser"), []string{"anyone", "shopper"}},
		{"a service account of no program", map[string]string{identity.ServiceTokenHeader: issuer.ServiceToken(t, "stranger")}, []string{"anyone"}},
	}
	programs := 0
	for _, folder := range []string{"../../run", "../../functions"} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			name := entry.Name()
			if !entry.IsDir() || name == "internal" {
				continue
			}
			programs++
			own := map[string]string{identity.ServiceTokenHeader: issuer.ServiceToken(t, name)}
			callers = append(callers,
				caller{name, own, []string{"anyone", name}},
				caller{name + " for a shopper", with(own, "authorization", shopper["authorization"]), []string{"anyone", "shopper", name}})
		}
	}
	if programs < 20 {
		t.Fatalf("%d programs were found: where are the others?", programs)
	}
	return callers
}

// everything serves every method of every service of the contract; each answers an empty message.
func everything(ctx context.Context, app *serve.App) (methods []string, err error) {
	services := map[string]*grpc.ServiceDesc{}
	for _, method := range contract.Methods() {
		name := string(method.Parent().FullName())
		if services[name] == nil {
			services[name] = &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil)}
		}
		services[name].Methods = append(services[name].Methods, answering(method))
		methods = append(methods, fmt.Sprintf("/%s/%s", name, method.Name()))
	}
	for _, service := range services {
		if err := app.Register(ctx, service, struct{}{}, nil); err != nil {
			return nil, err
		}
	}
	return methods, nil
}

func answering(method protoreflect.MethodDescriptor) grpc.MethodDesc {
	full := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
	return grpc.MethodDesc{
		MethodName: string(method.Name()),
		Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			request := dynamicpb.NewMessage(method.Input())
			if err := decode(request); err != nil {
				return nil, err
			}
			return interceptor(ctx, request, &grpc.UnaryServerInfo{Server: srv, FullMethod: full}, func(context.Context, any) (any, error) {
				return dynamicpb.NewMessage(method.Output()), nil
			})
		},
	}
}

// TestEveryMethodAndEveryCaller has everybody call every method, through the interceptors that every service has. A request that is let in
// is refused at the most for being empty.
func TestEveryMethodAndEveryCaller(t *testing.T) {
	issuer := servetest.NewIssuer(t)
	var methods []string
	server := issuer.Start(t, "everything", func(ctx context.Context, app *serve.App) (err error) {
		methods, err = everything(ctx, app)
		return err
	})
	conn, err := grpc.NewClient(server.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	callers := everyCaller(t, issuer)
	known := map[string]bool{}
	for _, c := range callers {
		for _, word := range c.is {
			known[word] = true
		}
	}

	unmet := map[string]bool{}
	for short, who := range admitted {
		unmet[short] = true
		for word := range strings.FieldsSeq(who) {
			if !known[word] {
				t.Errorf("%s: there is no caller %q", short, word)
			}
		}
	}
	calls := 0
	for _, method := range methods {
		short := strings.Replace(strings.TrimPrefix(method, "/larder."), ".v1.", ".", 1)
		who, listed := admitted[short]
		if !listed {
			t.Errorf("%s is not in the table: who may call it?", short)
			continue
		}
		delete(unmet, short)
		for _, c := range callers {
			calls++
			let := slices.ContainsFunc(strings.Fields(who), func(word string) bool { return slices.Contains(c.is, word) })
			code := ask(t, conn, method, c)
			switch {
			case let && (code == codes.Unauthenticated || code == codes.PermissionDenied):
				t.Errorf("%s is refused to %s: %s", short, c.name, code)
			case !let && c.headers == nil && code != codes.Unauthenticated, !let && c.headers != nil && code != codes.PermissionDenied:
				t.Errorf("%s is open to %s: %s", short, c.name, code)
			case let && code != codes.OK && code != codes.InvalidArgument:
				t.Errorf("%s by %s: %s", short, c.name, code)
			}
		}
	}
	for short := range unmet {
		t.Errorf("%s is in the table and not in the contract", short)
	}
	t.Logf("%d methods, %d callers, %d calls", len(methods), len(callers), calls)
}

func ask(t *testing.T, conn *grpc.ClientConn, method string, c caller) codes.Code {
	t.Helper()
	ctx := metadata.NewOutgoingContext(t.Context(), metadata.New(c.headers))
	return status.Code(conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{})) // an empty request of any kind
}
