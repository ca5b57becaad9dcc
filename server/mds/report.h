/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Size reports (rules/size_report.h): a stat of a file that another client is writing asks it, instead of taking its caps away.
 * The question belongs to the request; who is asked and what is believed is here. Nothing is remembered for later requests.
 *
 * What a report says goes into the inode and into the journal before it is shown (SHARE-1). A writer that does not report
 * in size_report_ms has its caps revoked like any other holder.
 */
#ifndef MDS_REPORT_H
#define MDS_REPORT_H

#include <stdbool.h>

struct mds;
struct mds_inode;
struct mds_request;
struct mds_session;
struct message;
struct nacre_inode_info;

/* Does this request leave what others write to them, and are there some who write this file now, and could be asked? */
bool mds_report_spares(struct mds *mds, const struct mds_request *request, const struct mds_inode *inode);
/*
 * FILE can be shown to this request: it is current here, or its writer has reported. Parks where it has to wait, for
 * the report or, if that is not to be had, for caps.
 */
int req_report(struct mds *mds, struct mds_request *request, struct mds_inode *inode);
/* The request's answer is a report: have the info say so. */
void mds_report_fill(const struct mds_request *request, struct nacre_inode_info *info);
/* A SIZE_REPORT. */
void mds_report_take(struct mds *mds, struct mds_session *session, struct message *message);
void mds_report_init(struct mds *mds);

#endif
