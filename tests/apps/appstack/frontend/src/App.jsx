// Copyright: the portside.stack contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
import { useEffect, useState } from "react";

export function App() {
  const [config, setConfig] = useState(null);
  useEffect(() => {
    fetch("/api/v1/config/frontend/")
      .then((answer) => answer.json())
      .then(setConfig);
  }, []);
  return <h1>{config ? config.title : "Loading"}</h1>;
}
