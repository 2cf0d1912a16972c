"""Send somebody's request again, judge the response by every rule, and reduce a failing request to a short one."""
