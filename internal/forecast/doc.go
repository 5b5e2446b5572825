// Package forecast estimates what reading a range will take, for `orderwalk plan`:
// a sample of a few list calls says how many orders there are and when
// ([Measure]), and the walk is played against that without any call ([Play]). It goes by
// connector/window as the walk itself does, and publishes nothing.
//
//	sample.go   the calls of a sample, and the estimate as a user gets it
//	sampler.go  which ranges these calls list, and what they say: pure
//	forecast.go the walk as it is played
package forecast
