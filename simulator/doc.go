// Package simulator stands in for the WeChat Shop order-list API: an
// http.Handler that answers the order-list call, the token and quota calls
// around it, and can be told to misbehave in every way the real service is
// known or feared to.
//
// It is for programs that read orders and want to be tried against shops that
// do not exist: `orderwalk simulate` and `orderwalk dev` serve it, this
// project's tests live in it, and any Go test may import it:
//
//	api := simulator.New(simulator.Config{
//		Seed: 1,
//		Shops: []simulator.Shop{{
//			AppID: "wx1", Secret: "s3cret",
//			Backlog: simulator.Backlog{Orders: 5000, From: 1750000000, To: 1750086400},
//			Live:    simulator.Live{Rate: 2},
//		}},
//		Faults: simulator.Faults{Random606006Rate: 0.1},
//	})
//	srv := httptest.NewServer(api)
//
// The same seed and the same calls at the same times give the same answers.
// Time is time.Now, and a Server starts no goroutine: orders of a live shop come
// into being when somebody asks, so a testing/synctest bubble runs days of it in
// a moment and ends cleanly. A shop built again from the same Config has
// the same orders, and next_keys handed out before still work.
//
// # Calls
//
//	POST /channels/ec/order/list/get?access_token=   a page of order IDs
//	GET  /cgi-bin/token                              a new token; the old one lives 300 s more
//	POST /cgi-bin/stable_token                       the same token while it is valid
//	POST /cgi-bin/openapi/quota/get                  limit, used and remaining list calls
//	POST /cgi-bin/openapi/quota/clear                the shop's own reset, 50 a day
//	POST /cgi-bin/clear_quota, /cgi-bin/clear_quota/v2   reset of everything, 10 a month
//	POST /cgi-bin/openapi/rid/get                    what a failed call looked like
//
// and those of a third-party platform (see Platform):
//
//	POST /cgi-bin/component/api_component_token        a component token for a verify ticket
//	POST /cgi-bin/component/api_query_auth             a shop's tokens for an authorization code
//	POST /cgi-bin/component/api_authorizer_token       a shop's access token for its refresh token
//	POST /cgi-bin/component/api_get_authorizer_list    the shops, 500 at a time
//	POST /cgi-bin/component/api_start_push_ticket      tickets are pushed again
//
// A list call may also come with cloudbase_access_token, which the vendor's
// hosting keeps in a file (see KeepCloudToken), or without a token through the
// hosting's relay (see Cloud).
//
// Everything else answers 40066. API errors come as HTTP 200 with an errcode;
// a POST without Content-Length gets HTTP 412, as from the real gateway.
//
// # Pushes
//
// A Pusher tells of what happens in a Server's shops as the vendor does: each
// event signed, encrypted and sent up to ten times in 3.6 hours until it is
// answered with HTTP 200 within 5 s; for a shop as JSON, for a third-party
// platform as XML, together with verify tickets and the authorisations that
// Config.OnAuthorization hands to its Announce. Faults that begin with push_ are
// its own. Its goroutines end before Run returns:
//
//	pusher, err := simulator.NewPusher(simulator.PushConfig{
//		Server: api,
//		Shops: []simulator.PushShop{{
//			AppID: "wx1", URL: "http://localhost:8090/push/wx1",
//			Token: "token", AESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
//		}},
//	})
//	err = pusher.Run(ctx)
//
// # Administration
//
// Under /simulator/ the handler serves its own controls, untouched by faults
// and without credentials (do not expose them):
//
//	GET    /simulator/faults                 all switches as JSON
//	PUT    /simulator/faults                 those in the body on, all others off
//	PATCH  /simulator/faults                 those in the body changed, others kept
//	GET    /simulator/orders?app_id=&until=  the truth: orders created up to a unix second
//	POST   /simulator/orders?app_id=         put in one order (JSON as GET shows it)
//	GET    /simulator/changes?app_id=&from=&until=  the truth for update_time
//	POST   /simulator/changes?app_id=        change one order (JSON as GET shows it)
//	GET    /simulator/authorizers            shops that have authorised the platform, with their refresh tokens
//	POST   /simulator/authorizers?app_id=    have one authorise it, or change what it grants
//	DELETE /simulator/authorizers?app_id=    have one take that back
//	GET    /simulator/ticket                 the platform's verify ticket of now
//	GET    /simulator/stats                  what has been called, and what was wrong with it
//
// What it is not: proof of what the real service does. Where that is unknown
// there is a switch for each possibility (see Faults), and a program is right
// when it is right under all of them.
package simulator
