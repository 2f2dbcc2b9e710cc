//! The end of an exchange: sends the response, and closes what belongs to the request.
//!
//! Never calls Python.

use std::sync::Arc;
use std::time::Instant;

use crate::message::{Delivery, DeliveryGuard, HandlerOutcome, PythonResponse, ResponseBody};
use crate::python_runtime::cpu_time;
use crate::python_runtime::in_flight::InFlightGuard;
use crate::python_runtime::reply::Reply;

use super::Exchange;

impl Exchange {
    /// Sends the response; returns the guard for the part of the request that continues.
    pub(super) fn finish(
        &self,
        generation: u64,
        route: Option<&str>,
        outcome: HandlerOutcome,
    ) -> Option<InFlightGuard> {
        let is_stream =
            matches!(&outcome, HandlerOutcome::Response { body: ResponseBody::Stream(_), .. });
        let (mut timestamps, guard) =
            (self.timestamps.lock().take(), self.in_flight_guard.lock().take());
        if let Some(timestamps) = &mut timestamps {
            timestamps.converted = Instant::now();
            if timestamps.returned < timestamps.attached {
                cpu_time::record_return(timestamps, timestamps.converted); // the handler raised
            }
            if let Some(guard) = guard.as_ref().filter(|_| timestamps.is_on_worker) {
                guard.record_run(&self.request.head, timestamps.attached, timestamps.converted);
            }
        }
        let is_routed = route.is_some();
        // Only observers read it.
        let route = route.filter(|_| timestamps.is_some());
        let route = route.map(|id| self.request.head.route().unwrap_or_else(|| id.into()));
        // With the lock: a later `report_when_sent` sees that the response has been sent.
        let awaited = self.delivery.lock();
        let reply = self.reply.lock().take();
        // A function that runs after the response may have an uploaded file.
        if !is_stream && awaited.is_none() {
            self.request.body.close();
        }
        if let Some(reply) = reply {
            let raised = self.raised.lock().take();
            let delivery = awaited.as_ref().map(|delivery| self.delivery_guard(delivery, &reply));
            drop(awaited);
            let response = PythonResponse {
                generation,
                is_routed,
                route,
                outcome,
                raised,
                timestamps,
                delivery,
            };
            if is_stream { reply.send_now(response) } else { reply.send(response) }
        }
        guard
    }

    fn delivery_guard(&self, delivery: &Arc<Delivery>, reply: &Reply) -> DeliveryGuard {
        let ended = reply.ended_requests().sender();
        DeliveryGuard::new(self.request.id, Arc::clone(delivery), ended)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let (Some(delivery), Some(reply)) = (&*self.delivery.lock(), &*self.reply.lock()) {
            drop(self.delivery_guard(delivery, reply)); // there is no response
        }
    }
}
