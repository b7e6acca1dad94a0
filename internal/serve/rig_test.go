package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	cartpb "larder.dev/api/cart/v1"
	productpb "larder.dev/api/product/v1"
	searchpb "larder.dev/api/search/v1"
	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// probe stands in for rooms: methods with every kind of rule, and a test's own doing inside.
type probe struct {
	cartpb.UnimplementedCartServiceServer
	productpb.UnimplementedProductServiceServer
	searchpb.UnimplementedSearchServiceServer
	stockpb.UnimplementedStockServiceServer
	do func(ctx context.Context) error
}

func (p *probe) PutItem(ctx context.Context, req *cartpb.PutItemRequest) (*cartpb.Cart, error) {
	return &cartpb.Cart{CartId: req.CartId, StoreId: req.ProductId}, p.do(ctx)
}
func (p *probe) MergeCart(ctx context.Context, req *cartpb.MergeCartRequest) (*cartpb.Cart, error) {
	return &cartpb.Cart{CartId: req.CartId}, p.do(ctx)
}
func (p *probe) ClearCart(ctx context.Context, _ *cartpb.ClearCartRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, p.do(ctx)
}
func (p *probe) ListStores(ctx context.Context, _ *productpb.ListStoresRequest) (*productpb.ListStoresResponse, error) {
	return &productpb.ListStoresResponse{}, p.do(ctx)
}
func (p *probe) DeleteProduct(ctx context.Context, _ *productpb.DeleteProductRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, p.do(ctx)
}
func (p *probe) Search(ctx context.Context, _ *searchpb.SearchRequest) (*searchpb.SearchResponse, error) {
	return &searchpb.SearchResponse{}, p.do(ctx)
}
func (p *probe) AdjustStock(ctx context.Context, _ *stockpb.AdjustStockRequest) (*stockpb.AdjustStockResponse, error) {
	return &stockpb.AdjustStockResponse{}, p.do(ctx)
}

func (p *probe) register(ctx context.Context, app *serve.App) error {
	return errors.Join(
		app.Register(ctx, &cartpb.CartService_ServiceDesc, p, func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return cartpb.RegisterCartServiceHandlerClient(ctx, mux, cartpb.NewCartServiceClient(conn))
		}),
		app.Register(ctx, &productpb.ProductService_ServiceDesc, p, func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return productpb.RegisterProductServiceHandlerClient(ctx, mux, productpb.NewProductServiceClient(conn))
		}),
		app.Register(ctx, &searchpb.SearchService_ServiceDesc, p, func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return searchpb.RegisterSearchServiceHandlerClient(ctx, mux, searchpb.NewSearchServiceClient(conn))
		}),
		app.Register(ctx, &stockpb.StockService_ServiceDesc, p, func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return stockpb.RegisterStockServiceHandlerClient(ctx, mux, stockpb.NewStockServiceClient(conn))
		}),
	)
}

// rig is a service of probes behind a real port.
type rig struct {
	*probe
	app    *serve.App
	issuer *servetest.Issuer
	url    string
	conn   *grpc.ClientConn
	logs   *logs
}

// newRig starts one; change, if any, alters its configuration.
func newRig(t *testing.T, change func(*serve.Config)) *rig {
	t.Helper()
	r := &rig{probe: &probe{do: func(context.Context) error { return nil }}, issuer: servetest.NewIssuer(t), logs: captureLogs(t)}
	config := r.issuer.Config()
	if change != nil {
		change(&config)
	}
	var err error
	if r.app, err = serve.New(t.Context(), "probe", &config); err != nil {
		t.Fatal(err)
	}
	if err := r.register(t.Context(), r.app); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(r.app.Handler())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	r.url = server.URL
	if r.conn, err = grpc.NewClient(server.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.conn.Close() })
	return r
}

const ada = "7a1c3a52-5b0e-4bd4-9a49-2f6d7e8f0001"

var operatorCaller = identity.Caller{UserID: ada, SessionID: "s", Roles: []string{identity.RoleShopper, identity.RoleOperator}}

func (r *rig) shopper(t *testing.T) map[string]string {
	t.Helper()
	return bearer(r.issuer.Token(t, identity.Caller{UserID: ada, SessionID: "s", Roles: []string{identity.RoleShopper}}, time.Minute))
}

func bearer(token string) map[string]string {
	return map[string]string{"authorization": "Bearer " + token}
}

// with returns headers with one more.
func with(headers map[string]string, name, value string) map[string]string {
	all := map[string]string{name: value}
	for n, v := range headers {
		all[n] = v
	}
	return all
}

// outcome is an answer, the same for both wires.
type outcome struct {
	OK         bool
	HTTP       int        // REST only
	Code       codes.Code // gRPC only
	Reason     string
	Message    string
	Fields     []string
	Header     http.Header
	Body       string // REST only
	RetryAfter bool
}

// wire calls a method with a valid or an invalid request.
type wire struct {
	name string
	put  func(t *testing.T, r *rig, headers map[string]string, quantity int32) outcome
}

// wires are the two ways into the same method.
var wires = []wire{
	{"REST", func(t *testing.T, r *rig, headers map[string]string, quantity int32) outcome {
		t.Helper()
		body, err := json.Marshal(map[string]any{"quantity": quantity})
		if err != nil {
			t.Fatal(err)
		}
		return r.rest(t, "PUT", "/v1/carts/me/items/bananas", headers, string(body))
	}},
	{"gRPC", func(t *testing.T, r *rig, headers map[string]string, quantity int32) outcome {
		t.Helper()
		return r.rpc(t, cartpb.CartService_PutItem_FullMethodName, headers,
			&cartpb.PutItemRequest{CartId: "me", ProductId: "bananas", Quantity: quantity}, &cartpb.Cart{})
	}},
}

func (r *rig) rest(t *testing.T, method, path string, headers map[string]string, body string) outcome {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	return r.send(t, req)
}

func (r *rig) send(t *testing.T, req *http.Request) outcome {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	o := outcome{OK: res.StatusCode == http.StatusOK, HTTP: res.StatusCode, Header: res.Header, Body: string(text)}
	o.RetryAfter = res.Header.Get("Retry-After") != ""
	if o.OK {
		return o
	}
	var e struct {
		Error struct {
			Code            int
			Status, Message string
			Details         []struct {
				Reason, Domain  string
				FieldViolations []struct{ Field string } `json:"field_violations"`
			}
		}
	}
	if err := json.Unmarshal(text, &e); err != nil || e.Error.Code != res.StatusCode || e.Error.Status == "" {
		t.Errorf("%s %s: %d with a body that is no error: %s", req.Method, req.URL.Path, res.StatusCode, text)
	}
	o.Message = e.Error.Message
	for _, d := range e.Error.Details {
		o.Reason += d.Reason
		for _, v := range d.FieldViolations {
			o.Fields = append(o.Fields, v.Field)
		}
	}
	return o
}

func (r *rig) rpc(t *testing.T, method string, headers map[string]string, req, into proto.Message) outcome {
	t.Helper()
	var header metadata.MD
	ctx := metadata.NewOutgoingContext(t.Context(), metadata.New(headers))
	if text := headers["grpc-timeout"]; text != "" { // gRPC's client makes this header of the context's deadline
		timeout, err := time.ParseDuration(text + "s")
		if err != nil {
			t.Fatal(err)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	err := r.conn.Invoke(ctx, method, req, into, grpc.Header(&header))
	o := outcome{OK: err == nil, Code: status.Code(err), Message: status.Convert(err).Message(), Header: http.Header{}}
	for name, values := range header {
		for _, value := range values {
			o.Header.Add(name, value)
		}
	}
	for _, detail := range status.Convert(err).Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			o.Reason = d.Reason
		case *errdetails.BadRequest:
			for _, v := range d.FieldViolations {
				o.Fields = append(o.Fields, v.Field)
			}
		case *errdetails.RetryInfo:
			o.RetryAfter = true
		}
	}
	return o
}

// logs collects what is logged, an object a line.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func captureLogs(t *testing.T) *logs {
	t.Helper()
	l := &logs{}
	before := slog.Default()
	slog.SetDefault(serve.NewLogger(l, slog.LevelDebug, "larder-test"))
	t.Cleanup(func() { slog.SetDefault(before) })
	return l
}

func (l *logs) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// line returns the last one with a message, nil for none.
func (l *logs) line(t *testing.T, message string) map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(l.text.String(), "\n")
	for _, text := range slices.Backward(lines) {
		if text == "" {
			continue
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("a line of the log is no JSON: %q", text)
		}
		if line["message"] == message {
			return line
		}
	}
	return nil
}

func (l *logs) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}
