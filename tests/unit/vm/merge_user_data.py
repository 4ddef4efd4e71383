"""Print as JSON what cloud-init makes of the user data on standard input; run by the Python that has the cloud-init package."""

import json
import sys
import tempfile

from cloudinit import handlers, helpers, user_data  # type: ignore[import-not-found,unused-ignore]
from cloudinit.handlers.cloud_config import CloudConfigPartHandler  # type: ignore[import-not-found,unused-ignore]

folder = tempfile.mkdtemp()
paths = helpers.Paths({"cloud_dir": folder, "run_dir": folder})
handler = CloudConfigPartHandler(paths)
handler.handle_part(None, handlers.CONTENT_START, None, None, "once-per-instance", None)
others = []
for part in user_data.UserDataProcessor(paths).process(sys.stdin.read()).walk():
    kind, text = part.get_content_type(), part.get_payload(decode=True)
    if kind == "text/cloud-config":
        handler.handle_part(None, kind, part.get_filename("part"), text.decode(), "once-per-instance", dict(part))
    elif part.get_content_maintype() != "multipart":
        others.append([kind, text.decode()])
json.dump({"config": handler.cloud_buf, "others": others}, sys.stdout)
