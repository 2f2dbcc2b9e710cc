//! Tasks that run again after their worker has died.

use serde_json::json;

use super::support::Project;

#[tokio::test]
async fn a_task_whose_worker_dies_runs_again_as_often_as_the_option_allows() {
    let frail = "\
import os, pathlib
from snaxum import route

MARK = pathlib.Path(__file__).parent.parent / 'deaths'

def frail(deaths):
    died = len(MARK.read_text()) if MARK.exists() else 0
    if died < deaths:
        MARK.write_text('x' * (died + 1))
        os._exit(7)
    return died

@route('/frail/<int:deaths>', use_process_pool=True)
def run(request, pool):
    return {'died': pool.submit(frail, request.path_params['deaths']).result()}
";
    let project = Project::new().file("handlers.py", frail);
    let server = project.args(&["--pool-workers", "1", "--pool-retries", "1"]).serve().await;

    assert_eq!(server.get("/frail/1").await.json(), json!({"died": 1}));
    assert_eq!(server.get("/frail/3").await.status, 500);
    assert_eq!(server.get("/frail/3").await.json(), json!({"died": 3}));
}
