// Package wechat is the client of the WeChat Shop order-list API: the list call,
// access tokens, the meaning of each error code, the rate limit, the daily quota and
// the API's clock.
//
// It does not know Kafka, windows or checkpoints. The connector decides what to ask
// and in which order; package cli creates the clients. The package stores nothing. A
// new process asks for a token again, and the normal mode of stable_token returns the
// one that is still valid. The tokens of a third-party platform have to be stored: the
// implementer of Config.Tokens does that.
//
//	Host ── one per API host: connection pool, timeout, the API's clock
//	  ├─ Client ── one per app ID: token, rate, quota pause, retries
//	  │    ├─ TokenServer ── another system's server that gives the token
//	  │    ├─ List ── wait for rate and quota → token → call → page or *Error
//	  │    └─ Quota ── what is left of the day
//	  └─ Platform ── a third-party platform's calls, one attempt each
//
// A list call ends with a page or with an *Error whose Class tells the caller what to
// do. List retries every failure that may pass by itself until its context ends. The
// table in codes.go decides which ones these are. Its sources are the vendor's pages
// https://developers.weixin.qq.com/doc/store/shop/dev_before/commErrCode.md and
// https://developers.weixin.qq.com/doc/store/shop/API/channels-shop-order/api_getorderlist.html.
//
// Access tokens travel in the query string, app secrets in request bodies, and the
// credentials for a token server in a header and perhaps in its URL. None of them
// appears in an error or log line of this package: URLs are removed from errors,
// bodies are never quoted, and every token and secret in use is redacted from the
// API's messages.
package wechat
